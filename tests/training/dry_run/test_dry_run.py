import json

import pytest
from huggingface_hub import constants

from configs import changed, train_config
from elastic_reasoning.core.configuration import values_of
from elastic_reasoning.core.errors import ElasticError, EngineError, TaskError, TrainingError
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.training.dry_run.dry_run import resolve

FULL = train_config(
    model="agentica-org/DeepScaleR-1.5B-Preview",
    task="deepscaler",
    budgets=("1024+1024",),
    steps=200,
    prompts_per_step=128,
    samples_per_prompt=8,
    updates_per_step=2,
    micro_batch_size=8,
    max_prompt_tokens=1024,
    num_problems=None,
)
SEVERAL = train_config(
    prompts_per_step=16, samples_per_prompt=4, micro_batch_size=8, num_problems=64, num_validation_problems=8
)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def values(config: TrainConfig, section: str, num_processes: int = 1) -> dict[str, object]:
    return {name: fact["value"] for name, fact in resolve(config, num_processes).to_dict()[section].items()}


@pytest.mark.parametrize("engine", ["transformers", "vllm-colocated", "vllm-server"])
def test_every_field_of_the_configuration_is_shown(engine):
    sections = resolve(changed(SEVERAL, engine=engine)).to_dict()
    shown = {name.partition(".")[0] for section in sections.values() for name in section}
    left_out = {"max_rows", "keeps_cache", "vllm", "release", "since", "until"}  # of one engine, and of one task
    assert {name.partition(".")[0] for name in values_of(TrainConfig())} - left_out <= shown
    assert ("max_rows" in shown) == ("keeps_cache" in shown) == (engine == "transformers")
    assert ("vllm" in shown) == (engine != "transformers")


def test_the_miniature_is_resolved_whole():
    found = resolve(SEVERAL).to_dict()
    assert found["model"]["parameters"]["value"] == 192_320
    assert found["template"]["closing"] == {"value": "</think>", "unit": "", "note": "token ids [6]"}
    assert found["data"]["training problems"]["value"] == 64
    assert found["downloads"] == {"nothing": {"value": 0, "unit": "bytes", "note": ""}}
    assert not any(fact["value"] is None for fact in found["rollouts"].values())


def test_a_full_size_run_is_resolved_without_a_network():
    found = resolve(FULL, num_processes=8).to_dict()
    assert found["model"]["parameters"]["value"] == 1_777_088_000
    assert "not read from the hub" in found["model"]["architecture"]["note"]
    assert "not verified" in found["template"]["closing"]["note"]
    assert found["rollouts"]["rollouts of a step"]["value"] == 1024
    assert found["rollouts"]["tokens, sampled in a step"]["value"] == 1024 * 2048
    assert found["rollouts"]["tokens, trained on in the run"]["value"] == 200 * 1024 * 3072
    assert found["optimisation"]["updates of the run"]["value"] == 400
    assert found["processes"]["rollouts of a process"]["value"] == 128
    assert found["processes"]["gradient accumulation"]["value"] == 8
    assert "7.1 GB if in float32" in found["downloads"][FULL.model]["note"]
    assert "agentica-org/DeepScaleR-Preview-Dataset" in found["downloads"]
    weights = found["memory of a device, at most"]["weights"]["value"]
    assert weights["whole"] == 4 * 1_777_088_000
    assert weights["sharded"] == weights["whole"] // 8


def test_what_cannot_be_found_out_is_said_and_the_rest_resolved():
    found = resolve(changed(FULL, model="nobody/nothing", max_prompt_tokens=None))
    facts = found.to_dict()
    assert facts["model"]["architecture"]["value"] is None
    assert "nobody/nothing" in facts["model"]["architecture"]["note"]
    assert facts["template"]["closing"]["value"] is None
    assert facts["memory of a device, at most"]["estimate"]["value"] is None
    assert facts["rollouts"]["tokens, completion"]["value"] is None
    assert facts["rollouts"]["rollouts of a step"]["value"] == 1024
    assert any("not known: max_prompt_tokens is not set" in line for line in found.lines())


@pytest.mark.parametrize(
    ("changes", "num_processes", "error"),
    [
        ({"model": "mimi"}, 1, EngineError),
        ({"task": "arithmetics"}, 1, TaskError),
        ({"budgets": ("24",)}, 1, ElasticError),
        ({"rewards": {}}, 1, TrainingError),
        ({}, 3, TrainingError),
        ({"plan": "curriculum", "budgets": ("8+20", "24+20"), "steps": 1}, 1, TrainingError),
        ({"data": "nowhere.jsonl", "task": "deepscaler"}, 1, TaskError),
    ],
)
def test_what_training_would_refuse_is_refused(changes, num_processes, error):
    with pytest.raises(error):
        resolve(changed(SEVERAL, **changes), num_processes)


def test_a_file_of_problems_is_counted_and_its_long_ones_left_out(tmp_path):
    file = tmp_path / "deepscaler.jsonl"
    rows = [{"problem": f"What is {n} + {n}?" + " And why?" * (n % 2) * 40, "answer": str(2 * n)} for n in range(200)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = changed(SEVERAL, task="deepscaler", data=str(file), num_problems=10_000, num_validation_problems=100)
    everything = values(config, "data")
    some = values(changed(config, max_prompt_tokens=60), "data")
    assert 150 < everything["training problems"] < 200
    assert everything["training problems"] + everything["validation problems"] == 200
    assert 50 < some["training problems"] < 110
    assert 0 < some["validation problems"] < everything["validation problems"]
    longest = values(config, "rollouts")["tokens, prompt"]
    assert longest > values(changed(config, max_prompt_tokens=60), "rollouts")["tokens, prompt"]


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({"budgets": ("24+20",)}, 44),
        ({"strategies": ("nothinking",)}, 20),
        ({"strategies": ("elastic", "nothinking")}, 44),
        ({"plan": "random", "budgets": ("8..96+20", "16+4")}, 116),
        ({"strategies": ("l1-exact",), "rewards": {"l1_exact": 1.0}, "budgets": ("30+0",)}, 60),
        (
            {
                "strategies": ("l1-max",),
                "rewards": {"l1_max": 1.0},
                "budgets": ("30+0",),
                "options": {"max_total": 100},
            },
            100,
        ),
    ],
)
def test_completions_are_bounded_by_what_the_strategies_spend(changes, most):
    assert values(changed(SEVERAL, **changes), "rollouts")["tokens, completion"] == most


def test_without_a_budget_the_context_bounds_completions():
    found = values(changed(SEVERAL, strategies=("unconstrained",), budgets=("inf+inf",)), "rollouts")
    assert found["tokens, prompt"] + found["tokens, completion"] == 512


def test_cuts_share_one_thinking():
    config = changed(SEVERAL, plan="anytime", budgets=("8+20", "24+20", "96+20"))
    found = values(config, "rollouts")
    assert found["rollouts of a step"] == 16 * 4 * 3
    assert found["tokens, sampled in a step"] == 16 * 4 * (96 + 3 * 20)
    assert found["tokens, trained on in a step"] == 16 * 4 * 3 * (found["tokens, prompt"] + 116)
    several = values(changed(config, answers_per_cut=2, max_redraws=1, micro_batch_size=128), "rollouts")
    assert several["rollouts of a step"] == 16 * 4 * 3 * 2
    assert several["tokens, sampled in a step"] == 2 * 16 * 4 * (96 + 2 * 3 * 20)


def test_exits_share_one_thinking():
    found = values(changed(SEVERAL, plan="serial", budgets=("96+20",), num_exits=7), "rollouts")
    assert found["rollouts of a step"] == 16 * 4 * 8
    assert found["tokens, sampled in a step"] == 16 * 4 * (96 + 8 * 20)


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({}, [1e-3, 5.1e-4, 1e-5]),
        ({"lr_schedule": "constant"}, [1e-3, 1e-3, 1e-3]),
        ({"lr_schedule": "constant", "num_lr_warmup_steps": 10}, [0.0, 1e-3, 1e-3]),
        ({"lr_schedule": "cosine"}, [1e-3, 5.15705e-4, 2.46719e-7]),
    ],
)
def test_learning_rates_are_those_of_the_schedule(changes, rates):
    found = values(changed(SEVERAL, **changes), "optimisation")
    assert [value for name, value in found.items() if name.startswith("learning rate of")] == pytest.approx(rates)


def test_adapters_are_what_is_trained():
    pytest.importorskip("peft")
    config = changed(SEVERAL, lora=Lora(rank=8))
    found = resolve(config).to_dict()
    assert found["model"]["trained parameters"]["value"] < found["model"]["parameters"]["value"]
    assert set(found["memory of a device, at most"]["moments"]["value"]) == {"whole", "sharded"}


def test_lines_are_one_for_each_fact_and_all_of_it_is_json():
    found = resolve(SEVERAL)
    assert len(found.lines()) == len(found.sections) + sum(map(len, found.sections.values()))
    assert not any("\n" in line for line in found.lines())
    assert json.loads(json.dumps(found.to_dict())).keys() == found.sections.keys()
