from typing import Any

import pytest

from configs import changed
from elastic_reasoning.core.configuration import deciding, values_of
from elastic_reasoning.core.errors import BudgetError, ElasticError, StrategyError, TrainingError
from elastic_reasoning.training.checks import LEAST, check
from elastic_reasoning.training.config import Lora, RolloutVllm, TrainConfig


def test_the_defaults_can_be_trained() -> None:
    check(TrainConfig())
    assert TrainConfig().num_rollouts == 256


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"budgets": ("24+0",)}, TrainingError, "budget 24+0: a rollout without a solution"),
        ({"budgets": ("24",)}, BudgetError, "24"),
        ({"budgets": ("-1+20",)}, BudgetError, "-1"),
        ({"strategies": ("elastik",)}, StrategyError, "did you mean 'elastic'"),
        ({"strategies": ("vanilla",), "options": {"grace": 2}}, StrategyError, "grace"),
        ({"options": {"min_thinking": 4}}, TrainingError, "give options.wait"),
        ({"temperature": 0.0}, TrainingError, "temperature 0.0: must be a number above 0"),
        ({"temperature": float("nan")}, TrainingError, "temperature nan"),
        ({"learning_rate": -1e-3}, TrainingError, "learning_rate -0.001"),
        ({"learning_rate": float("inf")}, TrainingError, "learning_rate inf"),
        ({"max_grad_norm": 0.0}, TrainingError, "max_grad_norm 0.0"),
        ({"beta": -0.1}, TrainingError, "beta -0.1: must be 0 (none) or more"),
        ({"weight_decay": float("nan")}, TrainingError, "weight_decay nan: must be 0 (none) or more"),
        ({"samples_per_prompt": 1}, TrainingError, "samples_per_prompt 1: must be 2 or more"),
        ({"micro_batch_size": 100}, TrainingError, "micro_batch_size 100 does not divide the 256 rollouts"),
        ({"micro_batch_size": 100}, TrainingError, "of a step: give 64, or another divisor of 256"),
        (
            {"prompts_per_step": 4, "samples_per_prompt": 2},
            TrainingError,
            "micro_batch_size 256 does not divide the 8 rollouts of a step: give 8, or another divisor of 8",
        ),
        ({"updates_per_step": 3}, TrainingError, "in 3 updates: give an updates_per_step that divides 256"),
        ({"lr_schedule": "liner"}, TrainingError, "unknown lr_schedule 'liner': did you mean 'linear'"),
        ({"loss": "dappo"}, TrainingError, "unknown loss 'dappo': did you mean 'dapo'"),
        ({"dtype": "float16"}, TrainingError, "unknown dtype 'float16'"),
        ({"advantages": "centered"}, TrainingError, "unknown advantages 'centered': did you mean 'centred'"),
        ({"mixed_precision": "fp16"}, TrainingError, "unknown mixed_precision 'fp16'"),
        ({"mixed_precision": "bf16", "dtype": "bfloat16"}, TrainingError, "wants dtype float32, not bfloat16"),
        ({"engine": "vllm"}, TrainingError, "unknown engine 'vllm': known are transformers, vllm-colocated"),
        ({"report_to": ("tensorbord",)}, TrainingError, "unknown report_to 'tensorbord': did you mean 'tensorboard'"),
        ({"lora": Lora(rank=-1)}, TrainingError, "rank must be 0 or more"),
        ({"strategies": ()}, TrainingError, "strategies: none was given"),
        ({"rewards": {"corect": 1.0}}, TrainingError, "did you mean 'correct'"),
        ({"reward_timeout_seconds": 0.0}, TrainingError, "reward_timeout_seconds 0.0: must be a number above 0"),
        ({"validation_budgets": ("24+0",)}, TrainingError, "budget 24+0: a rollout without a solution"),
        ({"validation_budgets": ("foo",)}, BudgetError, "foo"),
        ({"strategies": ("vanilla",), "budgets": ("0+0",)}, TrainingError, "a rollout without tokens"),
        (
            {"strategies": ("l1-max",), "budgets": ("inf+20",), "rewards": {"l1_max": 1.0}},
            TrainingError,
            "strategy l1-max asks for a length",
        ),
        (
            {"plan": "curriculum", "budgets": ("8+20", "24+20"), "steps": 1},
            TrainingError,
            "has 2 budgets to go through",
        ),
        (
            {"plan": "anytime", "budgets": ("8+20", "24+20"), "options": {"grace": 2}},
            TrainingError,
            "options.grace with plan 'anytime'",
        ),
        (
            {"plan": "serial", "options": {"grace": 2}},
            TrainingError,
            "options.grace with plan 'serial'",
        ),
        (
            {"plan": "serial", "options": {"min_thinking": 2, "wait": "wait"}},
            TrainingError,
            "options.min_thinking with plan 'serial'",
        ),
        ({"decay": 0.5}, TrainingError, "decay 0.5 with plan 'fixed'"),
        ({"options": {"soft_landing": 4}}, TrainingError, "not come from the model's own distribution"),
        ({"plan": "serial", "decay": 2.0}, TrainingError, "decay 2.0: must be from 0 to 1"),
        ({"plan": "serial", "num_exits": 0}, TrainingError, "num_exits 0: must be 1 or more"),
        ({"max_redraws": -1}, TrainingError, "max_redraws -1: must be 0 or more"),
        ({"loss": "dr_grpo", "strategies": ("unconstrained",)}, TrainingError, "loss 'dr_grpo' divides by"),
        ({"epsilon_high": -1.0}, TrainingError, "epsilon_high -1.0"),
        ({"vllm": RolloutVllm(tensor_parallel_size=0)}, TrainingError, "tensor_parallel_size must be 1 or more"),
        ({"vllm": RolloutVllm(gpu_memory_utilization=7.0)}, TrainingError, "gpu_memory_utilization above 0"),
        ({"updates_per_step": 3}, TrainingError, "does not divide the 256 rollouts of a step in 3 updates"),
        (
            {"device": "cuda:1"},
            TrainingError,
            "device 'cuda:1': must be auto, cpu or cuda; to choose",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict[str, Any], error: type[ElasticError], says: str) -> None:
    with pytest.raises(error) as refusal:
        check(changed(TrainConfig(), **changes))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_counts_have_a_least_value(name: str, least: int) -> None:
    with pytest.raises(TrainingError, match=rf"{name} {least - 1}: must be {least} or more"):
        check(changed(TrainConfig(), **{name: least - 1}))


def test_a_delimiter_that_comes_too_early_may_be_replaced() -> None:
    check(changed(TrainConfig(), options={"min_thinking": 4, "wait": "wait"}))


def test_rollouts_come_from_the_whole_distribution() -> None:
    names = {name.rpartition(".")[2] for name in values_of(TrainConfig())}
    assert not names & {"top_p", "top_k", "sampling"}
    sampling = changed(TrainConfig(), temperature=0.7).rollouts.sampling(seed=0)
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.7, 1.0, 0)


def test_only_where_a_run_is_made_does_not_decide_its_outcome() -> None:
    names = {name.partition(".")[0] for name in values_of(TrainConfig())}
    assert names - set(deciding(TrainConfig())) == {
        *("out", "data", "allow_code_execution", "sandbox", "grading_workers", "max_rows", "device", "vllm"),
        *("keeps_cache", "gradient_checkpointing", "micro_batch_size", "reward_timeout_seconds", "report_to"),
    }


def test_processes_share_a_step_evenly() -> None:
    check(changed(TrainConfig(), micro_batch_size=64), num_processes=4)
    with pytest.raises(TrainingError, match="prompts_per_step 16 cannot be split evenly over 3 processes"):
        check(TrainConfig(), num_processes=3)
    with pytest.raises(TrainingError, match="does not divide the 64 rollouts of a step of each process"):
        check(TrainConfig(), num_processes=4)
