from dataclasses import replace

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.errors import RequestError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase, Segment
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.tools import Tools
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine
from letters import answer, by_count, letters

TEMPLATE = letters(opening="OP", closing="CD")


def test_everything_is_derived_from_the_segments() -> None:
    trace = answer(TEMPLATE, "abCxOP$", "3+9", thinking=Thinking.ABSENT)
    assert trace.ids == TEMPLATE.encode("OPabCDxOP$")
    assert (trace.thinking_text, trace.solution_text) == ("ab", "xOP")
    assert (trace.num_thinking_tokens, trace.num_solution_tokens) == (2, 4)
    assert (trace.num_sampled_tokens, trace.num_forced_tokens) == (7, 3)
    assert (trace.budget_hit, trace.forced_close, trace.solution_cut, trace.escaped) == (True, True, False, True)


def test_flags_follow_from_how_thinking_and_solution_ended() -> None:
    closed = answer(TEMPLATE, "aCDxyz", "9+2")
    assert (closed.budget_hit, closed.forced_close, closed.solution_cut, closed.escaped) == (False, False, True, False)
    ended = answer(TEMPLATE, "a$x$", "9+2")
    assert (ended.budget_hit, ended.forced_close, ended.solution_cut) == (False, True, False)
    graced = answer(TEMPLATE, "ab.cdx$", "4+2", grace=2)
    assert (graced.budget_hit, graced.forced_close, graced.thinking_text) == (True, True, "ab.")


def test_log_probabilities_are_zero_for_forced_tokens_and_unknown_where_one_is_missing() -> None:
    request = answer(TEMPLATE, "a", "1+1").request
    forced = Segment(Phase.CLOSING, (3, 4), sampled=False)
    known = Segment(Phase.THINKING, (5,), sampled=True, logprobs=(-0.5,), finish=Finish.LENGTH)
    unknown = Segment(Phase.SOLUTION, (6,), sampled=True, finish=Finish.LENGTH)
    assert Trace(request, (known, forced), TEMPLATE).logprobs == (-0.5, 0.0, 0.0)
    assert Trace(request, (known, forced, unknown), TEMPLATE).logprobs is None


def test_a_trace_without_tokens_has_empty_texts() -> None:
    trace = Trace(answer(TEMPLATE, "a", "1+1").request, (), TEMPLATE, error="refused")
    assert (trace.ids, trace.sampled_mask, trace.logprobs) == ((), (), ())
    assert (trace.thinking_text, trace.solution_text, trace.escaped) == ("", "", False)


TOOLS = Tools(((TokenDelimiter("T", TEMPLATE.encode("d")), TokenDelimiter("U", TEMPLATE.encode("e"))),))
"""Calls go from d to e."""


@pytest.mark.parametrize(
    ("says", "budget", "offered", "cut"),
    [
        ("adxeCDy$", "9+9", True, False),
        ("adxxxxxxxxxxxxx", "2+2", True, True),  # by the context of 12
        ("adx$", "9+9", True, False),  # the model itself ended it
        ("adxxxx", "3+2", False, True),  # by t
        ("aCDdxxx", "3+2", False, True),  # by s
        ("adxeb", "3+2", False, True),
        ("adxebb", "5+2", False, False),
        ("abbbbb", "3+2", False, False),
        ("dxCDyy", "9+1", False, False),  # thinking was closed by the model, in the middle of what it wrote
    ],
)
def test_a_tool_call_that_the_tokens_ran_out_in_is_never_silent(
    says: str, budget: str, offered: bool, cut: bool
) -> None:
    template = replace(TEMPLATE, tools=TOOLS)
    prompt = Prompt((1,), Thinking.OPEN, tools=offered)
    request = Request(prompt, Budget.parse(budget))
    engine = ScriptedEngine(by_count(template.encode(says), template), template, 12 if offered and cut else None)
    trace = next(run(engine, [Walk(request, template, engine.context)]))
    assert trace.tool_cut == cut
    assert bool(trace.num_tool_tokens) == offered


def test_one_budget_for_everything_cuts_calls_and_says_so() -> None:
    trace = answer(replace(TEMPLATE, tools=TOOLS), "adxxxxx", "2+2", "vanilla")
    assert trace.tool_cut


def test_a_segment_has_one_log_probability_an_id() -> None:
    with pytest.raises(ValueError, match="1 log-probabilities for 2 ids"):
        Segment(Phase.THINKING, (1, 2), sampled=True, logprobs=(0.0,))


def test_a_trace_shows_what_became_of_it() -> None:
    trace = answer(TEMPLATE, "abCxOP$", "3+9", thinking=Thinking.ABSENT)
    assert repr(trace) == (
        "Trace(elastic 3+9, thinking='ab' (2 tokens, budget hit), solution='xOP' (4 tokens), forced 3)"
    )
    assert trace.raise_for_error() is trace
    long = answer(TEMPLATE, "a" * 90 + "CDxy$", "99+2")
    assert "'" + "a" * 29 + " ... " + "a" * 29 + "' (90 tokens)" in repr(long)
    assert len(repr(long)) < 200


def test_a_trace_with_an_error_shows_it_and_raises_it_when_asked() -> None:
    trace = replace(answer(TEMPLATE, "aCDx$", "3+9"), segments=(), error="the prompt is empty")
    assert repr(trace) == "Trace(elastic 3+9, error='the prompt is empty')"
    with pytest.raises(RequestError, match="the prompt is empty"):
        trace.raise_for_error()
