"""Replay of random requests: a few here, 20,000 of each kind with the long tests.

Strategies, options, budgets, contexts, delimiters of one and several tokens or of plain text, and what the model says
are all left to chance. The checker judges each trace first; of tool calls it knows nothing.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest

from cases import make_case
from channel_format import TEMPLATE as CHANNELS
from checker import check
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.segment import INTERRUPTS, Finish, Segment
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace
from test_tools import TEMPLATE as TAGS

ALWAYS_OFFERED = replace(TAGS, tools=replace(TAGS.tools, always=True))
TOOL_ENDS = (Finish.DELIMITER, Finish.EOS, Finish.LENGTH)
NUMBERS = [1000, pytest.param(20_000, marks=pytest.mark.full)]


def seen(trace: Trace) -> set[str]:
    """What a trace holds that a replay could stumble over."""
    runs = [segment for segment in trace.segments if segment.finish is not None]
    names = {f"{segment.phase} ended by {segment.finish}" for segment in runs}
    forced = [segment for segment in trace.segments if not segment.sampled]
    if any(segment.phase == "thinking" for segment in forced):
        names.add("wait" if runs[0].ids else "wait at once")
    return names | {f"forced {segment.phase}" for segment in forced} | ({"refused"} if trace.error else set())


def without_logprobs(trace: Trace) -> list[Segment]:
    return [replace(segment, logprobs=None) for segment in trace.segments]


def replayed(trace: Trace, context: int | None, logprobs: tuple[float, ...] | None) -> Trace:
    return replay(trace.request, trace.ids, trace.template, context, trace.sampled_mask, logprobs, probes=trace.probes)


def give_back(num: int, template: Template | None, judged: bool) -> Counter[str]:
    """Replay so many random requests, with and without log-probabilities; what was seen, and how often."""
    counts: Counter[str] = Counter()
    for seed in range(num):
        case = make_case(random.Random(seed).choice, template=template)
        trace = case.run("token")
        assert not judged or check(trace, case.context) == [], seed
        assert replayed(trace, case.context, trace.logprobs) == trace, seed
        bare = replayed(trace, case.context, None)
        if "goes by log-probabilities" in (bare.error or ""):  # of thinking, which are not there
            assert find_strategy(trace.request.strategy).goes_by_logprobs(trace.request.options), seed
        else:
            assert without_logprobs(bare) == without_logprobs(trace), seed
            assert bare.error == trace.error, seed
        counts.update(seen(trace))
    return counts


@pytest.mark.parametrize("num", NUMBERS)
def test_random_requests_are_given_back_by_their_ids_and_masks(num: int) -> None:
    counts = give_back(num, None, judged=True)
    ends = {f"thinking ended by {finish}" for finish in set(Finish) - set(INTERRUPTS)}
    ends |= {"solution ended by eos", "solution ended by length"}
    forced = {f"forced {phase}" for phase in ("opening", "thinking", "wrap_up", "closing", "solution")}
    assert {"wait", "wait at once", "refused", *ends, *forced} <= counts.keys()


@pytest.mark.parametrize("num", NUMBERS)
@pytest.mark.parametrize("template", [ALWAYS_OFFERED, CHANNELS], ids=["tags", "channels"])
def test_random_requests_with_tool_calls_are_given_back_too(template: Template, num: int) -> None:
    counts = give_back(num, template, judged=False)
    assert {"wait", "wait at once", *(f"tool ended by {finish}" for finish in TOOL_ENDS)} <= counts.keys()
