import json
from dataclasses import replace

import pytest

from configs import changed, train_config
from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.planning.config import HardwareConfig, PlanConfig
from elastic_reasoning.planning.trainings import TrainingPlan, plan_training
from elastic_reasoning.training.config import RolloutVllm, TrainConfig
from small_runs import SMALL

LARGE = train_config(
    model="32B",
    budgets=("32+32",),
    steps=4,
    prompts_per_step=64,
    samples_per_prompt=8,
    micro_batch_size=8,
    dtype="bfloat16",
)
ON_H200 = PlanConfig(prompt_tokens=200, hardware=HardwareConfig("H200", num_devices=16))


def planned(config: TrainConfig, plan: PlanConfig = ON_H200) -> TrainingPlan:
    return plan_training(config, plan)


def test_a_training_is_counted_by_its_rollouts() -> None:
    plan = planned(LARGE)
    assert plan.rollouts.records == 4 * 64 * 8
    assert plan.rollouts.sampled == 4 * 64 * 8 * 64
    assert plan.rollouts.prompt == 4 * 64 * 8 * 200
    assert plan.seconds is not None
    assert plan.generating_seconds is not None
    assert plan.optimising_seconds == pytest.approx(6 * 32.76e9 * plan.trained / (16 * 0.5 * 989e12), rel=0.01)
    assert plan.money == pytest.approx(plan.seconds * 16 * 4.46 / 3600)
    assert plan.memory["sharded"].optimising < plan.memory["whole"].optimising
    json.dumps(plan.to_dict(), allow_nan=False)


def test_a_colocated_vllm_is_spread_as_it_is_told() -> None:
    config = changed(LARGE, engine="vllm-colocated", vllm=RolloutVllm(tensor_parallel_size=4))
    hardware = HardwareConfig("H200", num_devices=16, tensor_parallel=2)
    with pytest.raises(UsageError, match=r"tensor_parallel 2 beside vllm.tensor_parallel_size 4"):
        planned(config, PlanConfig(prompt_tokens=200, hardware=hardware))
    as_planned = PlanConfig(prompt_tokens=200, hardware=replace(hardware, tensor_parallel=4))
    alone = replace(config, vllm=RolloutVllm())
    assert planned(config).generating_seconds == planned(alone, as_planned).generating_seconds


def test_cuts_of_one_thinking_are_generated_once() -> None:
    anytime = changed(LARGE, plan="anytime", budgets=("16+8", "64+8"), steps=2, prompts_per_step=4)
    plan = planned(anytime)
    assert plan.rollouts.records == 2 * 4 * 8 * 2
    assert plan.rollouts.generated == 2 * 4 * 8 * (64 + 8 + 8)
    exits = planned(changed(anytime, plan="serial", budgets=("64+8",), num_exits=3, samples_per_prompt=2))
    assert exits.rollouts.records == 2 * 4 * 2 * 4
    assert exits.rollouts.generated == 2 * 4 * 2 * (64 + 4 * 8)


def test_checkpointing_and_a_reference_take_a_forward_pass_more_each() -> None:
    plain, more = planned(LARGE), planned(changed(LARGE, gradient_checkpointing=True, beta=0.1))
    assert more.optimising_seconds == pytest.approx((plain.optimising_seconds or 0) * 10 / 6)


def test_without_hardware_time_is_not_known() -> None:
    plan = planned(LARGE, PlanConfig(prompt_tokens=200))
    assert (plan.seconds, plan.money) == (None, None)
    assert plan.speed.startswith("not known")


@pytest.mark.full  # it imports what trains
def test_steps_that_are_trained_here_tell_what_a_run_takes() -> None:
    plan = planned(SMALL, PlanConfig(measure=1))
    assert plan.rollouts.records == 5 * 16
    assert 0 < plan.rollouts.sampled <= 5 * 16 * 76
    assert plan.seconds is not None
    assert plan.speed == "measured in 1 steps here"


@pytest.mark.parametrize(
    ("config", "plan", "message"),
    [
        (LARGE, PlanConfig(measure=4, prompt_tokens=9), "measure 4: give the steps to train here first"),
        (LARGE, PlanConfig(hardware=HardwareConfig("H1000"), prompt_tokens=9), "did you mean 'H100'"),
        (changed(LARGE, steps=0), ON_H200, "steps 0"),
        (changed(LARGE, model="mimi"), ON_H200, "did you mean 'mini'"),
    ],
)
def test_what_cannot_be_planned_is_refused(config: TrainConfig, plan: PlanConfig, message: str) -> None:
    with pytest.raises(ElasticError, match=message):
        planned(config, plan)
