from typing import Any

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.integrations.task_settings import sampling, until, warnings

BUDGET = Budget(3, 5)


@pytest.mark.parametrize(
    ("of_task", "given", "expected"),
    [
        ({}, {}, Sampling(0.0)),
        ({"do_sample": True, "temperature": 0.6, "top_p": 0.95}, {}, Sampling(0.6, 0.95)),
        ({"temperature": 0.6, "top_k": -1}, {}, Sampling(0.6)),
        ({"do_sample": False, "temperature": 0.6}, {}, Sampling(0.0)),
        ({"do_sample": False}, {"temperature": 0.6, "top_p": 0.95}, Sampling(0.6, 0.95)),
        ({"temperature": 0.6, "top_p": 0.5}, {"temperature": 1, "top_k": 8, "top_p": None}, Sampling(1, 0.5, 8)),
    ],
)
def test_draws_are_as_the_user_says_and_otherwise_as_the_task(
    of_task: dict[str, Any], given: dict[str, Any], expected: Sampling
) -> None:
    assert sampling(of_task, given, 0) == expected


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, []), ({"until": None}, []), ({"until": "x"}, ["x"]), ({"until": ["x"]}, ["x"])]
)
def test_stop_strings(settings: dict[str, Any], expected: list[str]) -> None:
    assert until(settings) == expected


@pytest.mark.parametrize(
    ("settings", "strategy", "expected"),
    [
        ({"max_gen_toks": 5}, "elastic", ""),
        ({"max_gen_toks": 4}, "elastic", "it allows 4 tokens, THE BUDGET 5"),
        ({"max_new_tokens": 4, "max_gen_toks": None}, "elastic", "it allows 4 tokens, THE BUDGET 5"),
        ({"max_gen_toks": 8}, "vanilla", ""),
        ({"max_tokens": 7}, "vanilla", "it allows 7 tokens, THE BUDGET 8"),
        ({"max_gen_toks": 999}, "unconstrained", "it allows 999 tokens, THE BUDGET NO END"),
        ({"max_gen_toks": 1}, "l1-max", ""),
        ({"num_beams": 4, "until": [], "do_sample": True}, "elastic", "its settings {'num_beams': 4} are not heeded"),
    ],
)
def test_what_is_not_done_as_the_task_says(settings: dict[str, Any], strategy: str, expected: str) -> None:
    said = warnings(settings, strategy, BUDGET)
    assert len(said) == bool(expected)
    assert not said or said[0].startswith(expected)
