import math

import pytest
from hypothesis import given, settings

from cases import Case, cases
from checker import FINITE
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.strategies import find_strategy, known_options
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.wire import NAMES, Wire, from_wire, to_wire

OPEN = Prompt((4,), Thinking.OPEN)


@settings(max_examples=500)
@given(cases())
def test_a_request_comes_back_as_it_was_sent(case: Case) -> None:
    request = case.request
    values = to_wire(request)
    assert set(values) <= {*NAMES, *known_options()}
    assert all(type(value) in (str, int) for value in values.values())
    no_length = request.strategy.startswith("l1") and request.budget.total is None
    if no_length or is_refused(request):
        with pytest.raises(ElasticError):
            from_wire(values)
        return
    wire = from_wire(values)
    prompt = request.prompt
    assert wire == Wire(
        request.budget,
        request.strategy,
        find_strategy(request.strategy).restrict(request.options),
        prompt.thinking,
        prompt.tools,
    )


def is_refused(request: Request) -> bool:
    if request.budget.thinking is None:
        return request.strategy in FINITE
    return request.options.get("min_thinking", 0) > request.budget.thinking


def test_only_what_is_not_a_default_is_sent() -> None:
    request = Request(OPEN, Budget(512, None), options=Options(wrap_up="Time is up."))
    assert to_wire(request) == {
        "thinking_budget": 512,
        "strategy": "elastic",
        "prompt_thinking": "open",
        "wrap_up": "Time is up.",
    }


@pytest.mark.parametrize("values", [None, {}, {"guided": 1}, {"top_n_sigma": 1.0, "another": True}])
def test_what_is_not_about_a_budget_is_left_alone(values) -> None:
    assert from_wire(values) is None


@pytest.mark.parametrize("unlimited", [None, "inf", "INF", "none", "unlimited"])
def test_a_part_that_is_absent_or_said_to_be_so_is_unlimited(unlimited) -> None:
    wire = from_wire({"thinking_budget": unlimited, "solution_budget": 8})
    assert wire == from_wire({"solution_budget": 8})
    assert wire is not None
    assert (wire.budget, wire.strategy, wire.thinking) == (Budget(None, 8), "elastic", None)


@pytest.mark.parametrize("seconds", [3, 0.5])
def test_a_deadline_needs_no_budget(seconds) -> None:
    wire = from_wire({"deadline_seconds": seconds})
    assert wire is not None
    assert (wire.deadline_seconds, wire.budget) == (seconds, Budget(None, None))
    request = Request(OPEN, wire.budget, deadline_seconds=wire.deadline_seconds)
    assert from_wire(to_wire(request)) == Wire(wire.budget, "elastic", Options(), Thinking.OPEN, False, seconds)
    assert (
        from_wire({"deadline_seconds": None}) is None or from_wire({"deadline_seconds": None}).deadline_seconds is None
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"thinking_budget": -1}, r"thinking_budget -1: must be a whole number of tokens, 0 or more, or 'inf'"),
        ({"thinking_budget": 1.5}, r"thinking_budget 1.5: must be"),
        ({"solution_budget": "many"}, r"solution_budget 'many': must be"),
        ({"solution_budget": True}, r"solution_budget True: must be"),
        ({"solution_budget": [3]}, r"solution_budget \[3\]: must be"),
        ({"thinking_budgt": 5}, r"unknown parameter 'thinking_budgt': did you mean 'thinking_budget'\?"),
        ({"thinking_budget": 5, "wrapup": "x"}, r"unknown parameter 'wrapup': did you mean 'wrap_up'\?"),
        ({"thinking_budget": 5, "strategy": "elastik"}, r"unknown strategy 'elastik': did you mean 'elastic'\?"),
        ({"thinking_budget": 5, "strategy": 7}, r"strategy 7: must be text"),
        ({"thinking_budget": 5, "wrap_up": 7}, r"wrap_up 7: must be text"),
        ({"thinking_budget": 5, "grace": "7"}, r"grace '7': must be a whole number"),
        ({"thinking_budget": 5, "grace": False}, r"grace False: must be a whole number"),
        ({"thinking_budget": 5, "grace": -7}, r"grace -7: must be 0 or more"),
        ({"thinking_budget": 5, "min_thinking": 6}, r"min_thinking 6 is more than the thinking budget of 5"),
        ({"thinking_budget": 5, "strategy": "vanilla", "grace": 2}, r"grace=2 means nothing to strategy 'vanilla'"),
        ({"thinking_budget": 5, "strategy": "l1-exact"}, r"l1 asks for a length in the prompt and needs two finite"),
        (
            {"thinking_budget": 5, "prompt_thinking": "ajar"},
            r"prompt_thinking 'ajar': must be one of absent, open, closed",
        ),
        ({"thinking_budget": 5, "prompt_thinking": 1}, r"prompt_thinking 1: must be one of"),
        ({"deadline_second": 5}, r"unknown parameter 'deadline_second': did you mean 'deadline_seconds'\?"),
        *(
            ({"deadline_seconds": value}, r"deadline_seconds .*: must be a number of seconds above 0")
            for value in (0, -1.5, "5", True, [3], math.inf, math.nan, 10**400)
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values, message: str) -> None:
    with pytest.raises(ElasticError, match=message) as error:
        from_wire(values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [2, -1, "yes", None, 0.5])
def test_whether_tools_are_offered_is_one_or_nothing(value) -> None:
    with pytest.raises(UsageError, match=r"prompt_tools .*: must be 1 where the prompt offers tools, or 0"):
        from_wire({"thinking_budget": 5, "prompt_tools": value})
    assert from_wire({"thinking_budget": 5, "prompt_tools": 0}) == from_wire({"thinking_budget": 5})
