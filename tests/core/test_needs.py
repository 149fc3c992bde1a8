from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings

from cases import Case, cases
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens, needs_of
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Prompt, Thinking
from letters import letters

OPEN = Prompt((4,), Thinking.OPEN)


@pytest.mark.parametrize(
    ("strategy", "options", "takes_back", "bans"),
    [
        ("elastic", {"wrap_up": "w", "grace": 3, "min_thinking": 2}, False, True),
        ("elastic", {"wait": "w", "min_thinking": 2}, True, True),
        ("elastic", {"wait": "w"}, False, False),
        ("s1", {"num_waits": 1, "answer_tokens": 2, "wait": "w"}, True, False),
        ("vanilla", {}, False, False),
    ],
)
def test_a_dry_walk_tells_what_one_pass_cannot_do(strategy, options, takes_back, bans) -> None:
    needs = needs_of(Request(OPEN, Budget(5, 3), strategy, Options(options)), letters())
    assert (needs.takes_back, needs.bans) == (takes_back, bans)


@pytest.mark.parametrize("strategy", ["dynasor", "deer"])
def test_a_dry_walk_asks_no_tokenizer_for_ids_that_no_model_has(strategy: str) -> None:
    def decode(ids: Sequence[int]) -> str:
        assert all(token >= 0 for token in ids)
        return template.decode(ids)

    template = letters()
    request = Request(OPEN, Budget(200, 3), strategy)
    assert needs_of(request, replace(template, decode=decode)) == needs_of(request, template)


@settings(max_examples=800)
@given(cases())
def test_no_completion_has_more_than_the_most_tokens(case: Case) -> None:
    trace = case.run("token")
    most = most_tokens(case.request, case.template)
    assert trace.error is not None or most is None or len(trace.ids) <= most


@pytest.mark.parametrize(
    ("strategy", "budget", "thinking", "options", "most"),
    [
        ("elastic", Budget(5, 3), Thinking.OPEN, {}, 5 + 2 + 3),
        ("elastic", Budget(5, 3), Thinking.ABSENT, {"wrap_up": "wu"}, 1 + 5 + 2 + 2 + 3),
        ("nothinking", Budget(5, 3), Thinking.OPEN, {}, 2 + 3),
        ("vanilla", Budget(5, 3), Thinking.OPEN, {}, 5 + 3 + 2),
        ("s1", Budget(5, 3), Thinking.OPEN, {"answer_text": "xyz"}, 5 + 3 + 2 + 3),
        ("elastic", Budget(None, 3), Thinking.OPEN, {}, None),
        ("unconstrained", Budget(5, 3), Thinking.OPEN, {}, None),
        ("l1-max", Budget(5, 3), Thinking.OPEN, {"max_total": 50}, 50),
        ("l1-exact", Budget(5, 3), Thinking.OPEN, {}, 16),
        ("elastic", Budget(5, 3), Thinking.OPEN, {"wait": "w", "min_thinking": 3}, 5 + 3 + 2 + 3),
        (
            "s1",
            Budget(5, 3),
            Thinking.OPEN,
            {"wait": "w", "num_waits": 4, "answer_text": "x", "answer_tokens": 3},
            4 + 5 + 3 + 2 + 1,
        ),
    ],
)
def test_the_most_tokens_are_those_of_the_budget_and_what_is_forced(strategy, budget, thinking, options, most) -> None:
    template = letters(closing="CD")
    request = Request(Prompt((), thinking), budget, strategy, Options(**options))
    assert most_tokens(request, template) == most
    if strategy == "elastic" and most is not None:
        tireless = Case(request, template, None, template.encode("a" * 40), counting=True)
        assert len(tireless.run("token").ids) == most - len(options.get("wait", "")) * 3


@pytest.mark.parametrize(
    ("strategy", "options"),
    [("s1", {"num_waits": 100_000}), ("elastic", {"min_thinking": 19_000, "wait": "Wait"})],
)
def test_what_may_be_replaced_without_end_is_bounded_by_the_context_alone(strategy, options) -> None:
    request = Request(OPEN, Budget(20_000, 100), strategy, Options(options))
    assert needs_of(request, letters()).takes_back
    assert most_tokens(request, letters()) is None
    assert most_tokens(request, letters(), 64) == 63
