"""Texts that say how many tokens were thought: what they read, and how long they can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.counted_text import CountedText
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.engines.loading import load_template
from letters import answer, letters, show

DIGITS = letters(alphabet="$OCabcxyz 0123456789/{}")


def read(text: str, budget: int | None, used: int) -> str:
    return DIGITS.decode(CountedText.of(text, DIGITS.encode, budget).ids(used))


@pytest.mark.parametrize(
    ("text", "budget", "used", "wanted"),
    [
        ("{used}/{budget} {left}", 512, 300, "300/512 212"),
        ("{left}", 7, 7, "0"),
        ("{used}{used}", 10, 10, "1010"),
        ("a{x}b {{0}} {}", 9, 3, "a{x}b {{0}} {}"),  # other braces are text
        ("{{used}}", 9, 3, "{3}"),
        ("{used}x{budget}", None, 41, "41x"),  # of "unlimited" no letter has a token here
        ("", 9, 3, ""),
    ],
)
def test_numbers_stand_for_their_names(text: str, budget: int | None, used: int, wanted: str) -> None:
    assert read(text, budget, used) == wanted


def test_an_unlimited_budget_is_said_in_a_word() -> None:
    _, template = load_template("mini")
    text = CountedText.of("{left} {budget}", template.encode, None)
    assert text.ids(5) == (*template.encode("unlimited"), *template.encode(" unlimited"))


@given(st.lists(st.sampled_from(["{used}", "{left}", "{budget}", "ab", " ", "{"])), st.integers(0, 2000), st.data())
def test_it_is_never_longer_than_it_says_and_begins_as_it_says(
    parts: list[str], budget: int, data: st.DataObject
) -> None:
    used = data.draw(st.integers(0, budget))
    before = data.draw(st.integers(0, used))
    text = CountedText.of("".join(parts), DIGITS.encode, budget)
    ids = text.after(before).ids(used - before)
    assert ids == text.ids(used)
    assert len(ids) <= text.most
    assert not ids or text.may_begin_with(ids[0])


def test_a_wrap_up_counts_what_was_thought_when_it_is_written() -> None:
    options = {"wrap_up": "/{used} {left}/"}
    assert show(answer(DIGITS, "abcxyz$", "12+2", grace=0, **options)) == (
        "thinking:abcxyz wrap_up:[/6 6/] closing:[C] solution:$"
    )
    assert show(answer(DIGITS, "abcabcabcabcx$", "12+2", **options)) == (
        "thinking:abcabcabcabc wrap_up:[/12 0/] closing:[C] solution:x$"
    )
    # A "Wait" is forced and does not count; what was thought before it does.
    assert show(answer(DIGITS, "aCbc$x$", "12+2", min_thinking=2, wait="z", **options)) == (
        "thinking:a thinking:[z] thinking:bc wrap_up:[/3 9/] closing:[C] solution:x$"
    )


@pytest.mark.parametrize("masked", [True, False])
def test_a_replay_finds_the_same_numbers(masked: bool) -> None:
    trace = answer(DIGITS, "abcabcabcabcx$", "12+2", wrap_up="{left}{left}{left}{used}")
    again = replay(trace.request, trace.ids, DIGITS, None, trace.sampled_mask if masked else None, trace.logprobs)
    assert again == trace


def test_what_is_kept_for_it_is_the_longest_that_it_may_be() -> None:
    """At the end of 12 tokens the text has 10 ids and is shorter than before: nobody is to run out of tokens for it."""
    request = Request(Prompt((), Thinking.OPEN), Budget(12, 3), "elastic", Options(wrap_up="{left}" * 10))
    assert most_tokens(request, DIGITS) == 12 + 20 + 1 + 3
    refused = answer(DIGITS, "abc", "12+3", context=35, wrap_up="{left}" * 10)
    assert "the budget needs 36 tokens after the prompt, 1 more than" in (refused.error or "")
