import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs import changed, sweep_config
from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.engines.vllm.engine import VllmSettings
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.planning.config import HardwareConfig, PlanConfig
from elastic_reasoning.planning.sweeps import plan_sweep
from elastic_reasoning.records.log import read_records

SMALL = sweep_config(
    models=("mini",),
    strategies=("elastic", "s1"),
    budgets=("8+8", "24+8"),
    options={"answer_tokens": 2},
    limit=64,
    device="cpu",
)
LARGE = sweep_config(models=("32B",), strategies=("elastic",), budgets=("32+16", "64+16"), limit=2000, samples=16)
ON_H100 = PlanConfig(prompt_tokens=200, hardware=HardwareConfig("H100", num_devices=8))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SweepConfig:
    config = changed(SMALL, out=str(tmp_path_factory.mktemp("whole")))
    sweep(config)
    return config


@pytest.mark.parametrize("known", ["measured", "earlier"])
def test_a_plan_comes_near_to_the_sweep(known: str, whole: SweepConfig) -> None:
    config = PlanConfig(measure=32) if known == "measured" else PlanConfig(lengths_from=whole.out)
    plan = plan_sweep(SMALL, config)
    records = read_records(Path(whole.out))[1]
    assert plan.tokens.records == len(records)
    for name in ("sampled", "reused", "forced"):
        real = records[f"num_{name}_tokens"].sum()
        assert getattr(plan.tokens, name) == pytest.approx(real, rel=0.2), name
    assert plan.seconds is not None
    assert plan.models[0].lengths == ("measured on 32 problems" if config.measure else "as in 256 earlier records")
    assert plan.growth[-1].problems == 10**9


def test_without_anything_known_it_is_the_upper_bound_and_that_is_said() -> None:
    plan = plan_sweep(changed(SMALL, share=False), PlanConfig())
    assert plan.tokens.sampled == 64 * 2 * (16 + 32)
    assert plan.models[0].lengths.startswith("upper bound")
    assert (plan.seconds, plan.money, plan.growth) == (None, None, ())


def test_a_size_and_a_device_are_enough_for_time_and_money() -> None:
    plan = plan_sweep(LARGE, ON_H100)
    (model,) = plan.models
    assert model.fit is not None
    assert (model.fit.tensor_parallel, model.num_copies) == (1, 8)
    assert plan.tokens.records == 2000 * 16 * 2
    assert plan.tokens.generated == 2000 * 16 * (64 + 16 + 16)
    assert plan.money is not None
    assert plan.seconds is not None
    assert plan.money == pytest.approx(plan.seconds * 8 * 3.35 / 3600)
    assert any("list price" in note for note in plan.notes)
    assert sum(each.seconds or 0 for each in model.settings) == pytest.approx(model.generating_seconds)
    json.dumps(plan.to_dict(), allow_nan=False)


def test_more_problems_take_as_much_longer() -> None:
    few, many = (plan_sweep(changed(LARGE, limit=limit), ON_H100) for limit in (1000, 4000))
    assert many.tokens.generated == 4 * few.tokens.generated
    assert many.models[0].generating_seconds == pytest.approx(4 * (few.models[0].generating_seconds or 0), rel=0.1)


@pytest.mark.parametrize("engine", [{"tensor_parallel_size": 4}, {"name": "vllm", "vllm": VllmSettings(4)}])
def test_a_copy_lies_on_as_many_devices_as_the_engine_is_told(engine: dict[str, Any]) -> None:
    config = replace(LARGE, engine=replace(LARGE.engine, **engine))
    (model,) = plan_sweep(config, ON_H100).models
    assert model.fit is not None
    assert model.fit.weights_each is not None
    assert (model.fit.tensor_parallel, model.num_copies) == (4, 2)
    is_vllm = config.engine.name == "vllm"
    assert (model.fit.weights_each * 4 == pytest.approx(model.fit.weights, rel=0.001)) is is_vllm
    assert (model.seconds is not None) is is_vllm
    assert is_vllm or model.speed.startswith("not known: engine transformers was never timed over several devices")
    with pytest.raises(
        UsageError, match=r"tensor_parallel 2 beside (vllm.)?tensor_parallel_size 4: .*leave out --tens"
    ):
        plan_sweep(config, PlanConfig(prompt_tokens=200, hardware=HardwareConfig("H100", 8, tensor_parallel=2)))


def test_engine_transformers_is_spread_where_a_copy_does_not_fit_alone() -> None:
    config = changed(LARGE, models=("8B",), budgets=("16384+1024",), limit=20, samples=1)
    (model,) = plan_sweep(config, ON_H100).models
    assert (model.fit and model.fit.tensor_parallel, model.num_copies) == (1, 8)
    assert model.seconds is not None
    (large,) = plan_sweep(changed(LARGE, models=("70B",)), ON_H100).models
    assert large.fit is not None
    assert large.fit.tensor_parallel not in (None, 1)


@pytest.mark.parametrize("engine", [{"tensor_parallel_size": 2}, {"name": "vllm", "vllm": VllmSettings(2)}])
def test_this_machine_has_the_devices_that_the_engine_is_told(engine: dict[str, Any]) -> None:
    config = replace(LARGE, engine=replace(LARGE.engine, **engine))
    plan = plan_sweep(config, PlanConfig(prompt_tokens=200))
    assert (plan.num_devices, plan.models[0].num_copies) == (2, 1)


def test_a_model_that_does_not_fit_has_no_seconds() -> None:
    plan = plan_sweep(LARGE, PlanConfig(prompt_tokens=200, hardware=HardwareConfig("L4")))
    assert plan.seconds is None
    assert any("one copy needs 4 of L4: raise --num_devices" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("changes", "plan", "message"),
    [
        ({}, PlanConfig(measure=-1), "measure -1: give how many problems to run"),
        ({}, PlanConfig(measure=4, lengths_from="runs/s"), "give one of them"),
        ({"models": ("7B",)}, PlanConfig(measure=4), "'7B' is a size, which cannot be run"),
        ({"models": ("mimi",)}, PlanConfig(measure=4), "did you mean 'mini'"),
        ({"models": ("mimi",)}, PlanConfig(), "did you mean 'mini'"),
        ({"tensor_parallel_size": 0}, PlanConfig(), "tensor_parallel_size 0: must be 1 or more"),
        ({}, PlanConfig(prompt_tokens=0), "prompt_tokens 0: must be 1 or more"),
        ({"limit": None}, PlanConfig(prompt_tokens=9), "prompt_tokens is given without limit"),
        ({}, PlanConfig(lengths_from="nowhere"), "nowhere"),
        ({"task": "arithmetik"}, PlanConfig(), "did you mean 'arithmetic'"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes: dict[str, object], plan: PlanConfig, message: str) -> None:
    with pytest.raises(ElasticError, match=message):
        plan_sweep(changed(SMALL, **changes), plan)
