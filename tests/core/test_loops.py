"""Loops by brute force, and where thinking that has a loop breaker closes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.loops import repeats, step
from elastic_reasoning.core.strategies import find_strategy
from letters import answer, finishes, letters, show

TEMPLATE = letters()


def is_repetition(ids: list[int]) -> bool:
    """Whether some stretch, written over and over, begins with all these ids and fits into them three times."""
    return any((ids[:size] * len(ids))[: len(ids)] == ids for size in range(1, len(ids) // 3 + 1))


@given(st.lists(st.integers(0, 2), max_size=20), st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(0, 8))
def test_a_loop_is_what_brute_force_finds(before: list[int], stretch: list[int], times: int) -> None:
    ids = [*before, *stretch * times]
    for num_tokens in range(1, 25):
        last = ids[-num_tokens:]
        assert repeats(ids, num_tokens) == (len(last) == num_tokens and is_repetition(last))


def test_thinking_closes_at_the_first_look_that_finds_one() -> None:
    assert step(12) == 3
    trace = answer(TEMPLATE, "xyzabababababababx$", "40+2", loop_breaker=12)
    assert show(trace) == "thinking:xyzabababababab closing:[C] solution:ab"
    assert finishes(trace) == ["loop", "length"]


def test_a_stretch_that_is_written_twice_is_none() -> None:
    trace = answer(TEMPLATE, "abcdefabcdefwxyabcdefabcdefwxyC$", "40+2", loop_breaker=12)
    assert finishes(trace) == ["delimiter", "eos"]


def test_what_is_forced_is_no_part_of_a_loop_and_begins_a_new_count() -> None:
    trace = answer(TEMPLATE, "aaaCaaaaaaaaaaaaaaaa", "40+2", loop_breaker=12, min_thinking=6, wait="a")
    assert show(trace) == "thinking:aaa thinking:[a] thinking:aaaaaaaaaaaa closing:[C] solution:aa"


def test_a_half_written_delimiter_is_completed_and_wrapped_up_text_left_out() -> None:
    template = letters(closing="aaab")
    trace = answer(template, "aaaaaaaaaaaaaaaa", "40+2", loop_breaker=12, wrap_up="w")
    assert show(trace) == "thinking:aaaaaaaaa closing:aaa closing:[b] solution:aa"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loop_breaker": 11}, "loop_breaker 11: so few tokens repeat in any text; give 12 or more"),
        ({"soft_landing": 9}, "soft_landing 9 is more than the thinking budget of 8 tokens"),
        ({"soft_landing": 2, "landing_peak": 0}, "landing_peak 0: must be 1 to 100 nats"),
        ({"soft_landing": 2, "landing_peak": 101}, "landing_peak 101: must be 1 to 100 nats"),
        ({"close_text": "xC"}, "close_text='xC' holds 'C': leave it out"),
    ],
)
def test_what_means_nothing_is_refused(options: dict[str, int], message: str) -> None:
    assert message in (answer(TEMPLATE, "ab", "8+2", **options).error or "")


def test_words_that_an_answer_begins_with_allow_no_grammar() -> None:
    elastic = find_strategy("elastic")
    assert elastic.grammar_refusal({}) == ""
    assert "leave close_text out" in elastic.grammar_refusal({"close_text": "so"})
    with pytest.raises(StrategyError, match="close_text True: must be text"):
        elastic.read({"close_text": True})
