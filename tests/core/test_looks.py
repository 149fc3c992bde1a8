"""Strategies that look at thinking, each on an example; what is forced stands in brackets."""

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Pause
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.looking import read_answer
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase, Segment
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.words import delimiter_of, ids_of
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.scripted import word_template
from letters import answer, letters, show

ONE = letters()
WORDS = word_template(
    "<think>",
    "</think>",
    "<eos>",
    ["Wait", "wait,", "waiting", "but", "button", "Alter", "natively", "\\boxed", "{", "}", "4", "x{2}"],
)


def test_dynasor_closes_where_the_answers_are_equal_and_throws_them_away() -> None:
    probes = {"probe_every": 2, "probe_text": "w", "probe_tokens": 1, "num_equal": 2}
    trace = answer(ONE, "abxcdxyz$", "9+4", "dynasor", **probes)
    assert show(trace) == "thinking:ab thinking:cd closing:[C] solution:yz$"
    assert [(ONE.decode(probe.forced), ONE.decode(probe.segment.ids)) for probe in trace.probes] == [("w", "x")] * 2
    assert (trace.num_thinking_tokens, trace.num_probe_tokens, trace.num_spent_tokens) == (4, 2, 9)


def test_deer_asks_in_the_place_of_the_word_which_stays() -> None:
    probes = {"probe_words": "b", "probe_text": "w", "probe_tokens": 1}
    trace = answer(ONE, "abxcCyz$", "9+4", "deer", sure_percent=100, **probes)
    assert show(trace) == "thinking:ab thinking:c closing:C solution:yz$"
    assert [probe.position for probe in trace.probes] == [1]
    sure = answer(ONE, "abxyz$", "9+4", "deer", sure_percent=0, **probes)
    assert show(sure) == "thinking:ab closing:[C] solution:yz$"


def test_nowait_thinks_other_words() -> None:
    trace = answer(ONE, "bxaCa$", "9+4", "nowait", forbidden_words="A,c")
    assert show(trace) == "thinking:bx closing:[C] solution:Ca$"  # the script ends where it may not say what it would


def test_reminders_tell_what_is_left_where_a_part_is_used() -> None:
    trace = answer(ONE, "abcdefxyz", "6+2", "reminders", reminder="w{part}u", parts=3)
    assert show(trace) == "thinking:ab thinking:[wu] thinking:cd thinking:[wu] thinking:ef closing:[C] solution:xy"
    assert trace.num_thinking_tokens == 6


def test_alpha_one_is_slow_before_the_moment_and_closes_at_wait_behind_it() -> None:
    trace = answer(
        ONE, "abcdexf", "8+1", "alpha-one", slow_after="a", slow_text="w", fast_words="d,e", alpha_percent=50
    )
    assert show(trace) == "thinking:a thinking:[w] thinking:bcd closing:[C] solution:e"


@pytest.mark.parametrize("strategy", ["reminders", "alpha-one"])
def test_what_goes_by_a_share_of_the_budget_needs_one(strategy: str) -> None:
    assert "give thinking a number of tokens" in str(answer(ONE, "ab", "unlimited+4", strategy).error)


def test_a_reminder_that_tells_nothing_is_refused() -> None:
    with pytest.raises(StrategyError, match="must hold one of"):
        STRATEGIES["reminders"].check(Budget(8, 4), {"reminder": "seed_oss"})


def test_a_word_stands_by_itself_in_a_token() -> None:
    assert WORDS.decode(sorted(ids_of(WORDS, "WAIT, but"))) == "Wait wait, but"
    found = delimiter_of(WORDS, "Wait,Alter natively")
    assert found is not None
    assert [found.ends(WORDS.encode(text)) for text in ("4 Wait", "wait,", "Alter natively", "natively")] == [
        1,
        0,
        2,
        0,
    ]
    assert delimiter_of(WORDS, " , ") is None


def test_no_delimiter_is_a_word() -> None:
    assert ids_of(letters(closing="CD"), "a,C,D,O,$") == frozenset(ONE.encode("acd"))


@pytest.mark.parametrize(
    ("asked", "written", "text", "start", "end"),
    [
        ("\\boxed{", "4 } Wait", "4", 0, 2),
        ("\\boxed", "{ 4 } Wait", "4", 1, 3),
        ("\\boxed", "{ x{2} } but", "x{2}", 1, 3),
        ("\\boxed{", "4 4", "", 0, 2),
        ("so", "4 Wait <eos>", "4 Wait", 0, 2),
    ],
)
def test_an_answer_ends_with_its_bracket(asked: str, written: str, text: str, start: int, end: int) -> None:
    found = read_answer(WORDS, asked, Segment(Phase.PROBE, WORDS.encode(written), True))
    assert (found.text, found.start, found.end) == (text, start, end)


def test_an_engine_without_log_probabilities_refuses_it_before_anything_is_thought() -> None:
    opened, closed = (
        Job(Walk(Request(Prompt((5,), thinking), Budget(8, 4), "deer"), ONE), None, None, logprobs=False).walk
        for thinking in (Thinking.OPEN, Thinking.CLOSED)
    )
    assert "goes by log-probabilities" in str(opened.error)
    assert closed.error is None  # nothing is to be thought


def test_an_empty_pause_is_none() -> None:
    assert not Pause()
    assert Pause(boundaries=True)
