from dataclasses import fields, replace
from typing import Any

import pytest

from elastic_reasoning.errors import BudgetError, ElasticError, StrategyError, TrainingError
from elastic_reasoning.request import Options
from elastic_reasoning.training.config import EXECUTION, LEAST, TrainConfig, check, decisive


def test_the_defaults_can_be_trained() -> None:
    check(TrainConfig())
    assert TrainConfig().num_rollouts == 256


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"budget": "24+0"}, TrainingError, "budget 24+0: a rollout without a solution"),
        ({"budget": "24"}, BudgetError, "24"),
        ({"budget": "-1+20"}, BudgetError, "-1"),
        ({"strategy": "elastik"}, StrategyError, "did you mean 'elastic'"),
        ({"strategy": "vanilla", "options": Options(grace=2)}, StrategyError, "grace"),
        ({"options": Options(min_thinking=4)}, TrainingError, "give options.wait"),
        ({"temperature": 0.0}, TrainingError, "temperature 0.0: must be a number above 0"),
        ({"temperature": float("nan")}, TrainingError, "temperature nan"),
        ({"learning_rate": -1e-3}, TrainingError, "learning_rate -0.001"),
        ({"learning_rate": float("inf")}, TrainingError, "learning_rate inf"),
        ({"max_grad_norm": 0.0}, TrainingError, "max_grad_norm 0.0"),
        ({"beta": -0.1}, TrainingError, "beta -0.1: must be 0 (no KL term) or more"),
        ({"samples_per_prompt": 1}, TrainingError, "samples_per_prompt 1: must be 2 or more"),
        ({"micro_batch_size": 100}, TrainingError, "micro_batch_size 100 does not divide the 256 rollouts"),
        ({"lr_schedule": "liner"}, TrainingError, "unknown lr_schedule 'liner': did you mean 'linear'"),
        ({"loss": "dappo"}, TrainingError, "unknown loss 'dappo': did you mean 'dapo'"),
        ({"dtype": "float16"}, TrainingError, "unknown dtype 'float16'"),
        (
            {"device": "cuda:1"},
            TrainingError,
            "device 'cuda:1': must be auto, cpu or cuda; to choose",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict[str, Any], error: type[ElasticError], says: str) -> None:
    with pytest.raises(error) as refusal:
        check(replace(TrainConfig(), **changes))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_counts_have_a_least_value(name: str, least: int) -> None:
    with pytest.raises(TrainingError, match=rf"{name} {least - 1}: must be {least} or more"):
        check(replace(TrainConfig(), **{name: least - 1}))


def test_a_delimiter_that_comes_too_early_may_be_replaced() -> None:
    check(replace(TrainConfig(), options=Options(min_thinking=4, wait="wait")))


def test_rollouts_come_from_the_whole_distribution() -> None:
    names = {field.name for field in fields(TrainConfig)}
    assert not names & {"top_p", "top_k", "sampling"}
    sampling = replace(TrainConfig(), temperature=0.7).sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.7, 1.0, 0)


def test_only_where_a_run_is_made_does_not_decide_its_outcome() -> None:
    names = {field.name for field in fields(TrainConfig)}
    assert set(decisive(TrainConfig())) == names - set(EXECUTION)
    assert set(EXECUTION) == {"out", "max_rows", "device"}
