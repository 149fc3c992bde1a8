"""Interrupts at any token: budgets hold, deltas add up to the segments, and a replay gives the trace back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from by_call import ByCall
from cases import Case, cases, chosen_by, make_case
from channel_format import TEMPLATE as CHANNELS
from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import INTERRUPTS, Finish, Phase
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine
from letters import by_count, finishes, letters, put_together, show
from test_tools import TEMPLATE as TAGS

Interrupts = dict[int, Finish]
"""After so many sampled tokens, this."""


@dataclass(frozen=True)
class Interrupted:
    """What became of a request."""

    trace: Trace
    deltas: list[Delta]


def interrupted(case: Case, interrupts: Interrupts) -> Interrupted:
    walk, script, deltas, num = Walk(case.request, case.template, case.context), case.script(), list[Delta](), 0

    def interrupting(request: object, ids: Sequence[int]) -> list[int]:
        nonlocal num
        num += 1
        if num in interrupts:
            walk.interrupt(interrupts[num])
        return list(script(case.request, ids))

    if 0 in interrupts:
        walk.interrupt(interrupts[0])
    [trace] = run(ScriptedEngine(interrupting, case.template, case.context), [walk], deltas.append)
    return Interrupted(trace, deltas)


interrupting = st.dictionaries(st.integers(0, 14), st.sampled_from(INTERRUPTS), max_size=3)


@st.composite
def tool_cases(draw: st.DrawFn) -> Case:
    template = draw(st.sampled_from([replace(TAGS, tools=replace(TAGS.tools, always=True)), CHANNELS]))
    return make_case(chosen_by(draw), template=template)


@settings(max_examples=2000)
@given(cases(), interrupting)
def test_whatever_interrupts_it_a_trace_keeps_its_budget(case: Case, interrupts: Interrupts) -> None:
    trace = interrupted(case, interrupts).trace
    assert check(trace, case.context) == []
    for finish in set(finishes(trace)) & set(INTERRUPTS):
        event(f"{finish}")


@settings(max_examples=2000)
@given(st.one_of(cases(), tool_cases()), interrupting)
def test_the_deltas_put_together_are_the_segments_and_a_replay_gives_them_back(
    case: Case, interrupts: Interrupts
) -> None:
    found = interrupted(case, interrupts)
    trace = found.trace
    assert put_together(found.deltas) == list(trace.segments)
    again = replay(
        case.request, trace.ids, case.template, case.context, trace.sampled_mask, trace.logprobs,
        interrupts=trace.interrupts, probes=trace.probes,
    )  # fmt: skip
    assert again == trace


@settings(max_examples=1000)
@given(cases(("elastic",)), st.integers(0, 12))
def test_a_deadline_in_thinking_leaves_the_solution_all_of_its_tokens(case: Case, at: int) -> None:
    case = replace(case, request=replace(case.request, prompt=replace(case.request.prompt, thinking=Thinking.OPEN)))
    trace = interrupted(case, {at: Finish.DEADLINE}).trace
    if trace.error is None and trace.closed_by_deadline:
        last, budget = trace.segments[-1], trace.request.budget.solution
        assert last.phase is Phase.SOLUTION
        assert last.finish in (Finish.EOS, Finish.LENGTH)
        full = case.context is not None and len(case.request.prompt.ids) + len(trace.ids) == case.context
        assert last.finish is Finish.EOS or trace.num_solution_tokens == budget or full
        assert not trace.budget_hit


@pytest.mark.parametrize("wrap_up", ["", "wu"])
def test_a_deadline_in_thinking_forces_the_wrap_up_and_the_delimiter(wrap_up: str) -> None:
    case = case_of("abcdefxyz$", wrap_up=wrap_up)
    trace = interrupted(case, {3: Finish.DEADLINE}).trace
    wrapped = f"wrap_up:[{wrap_up}] " if wrap_up else ""
    assert show(trace) == f"thinking:abc {wrapped}closing:[C] solution:defx"
    assert finishes(trace) == ["deadline", "length"]
    assert (trace.closed_by_deadline, trace.budget_hit, trace.forced_close, trace.cut) == (True, False, True, True)


def test_half_a_delimiter_is_completed_at_a_deadline_as_at_the_wall() -> None:
    case = case_of("abCxyz$", letters(closing="CDD"), wrap_up="wu")
    found = interrupted(case, {3: Finish.DEADLINE})
    assert show(found.trace) == "thinking:ab closing:C closing:[DD] solution:xyz$"
    assert found.trace.interrupts == {3: Finish.DEADLINE}
    assert [delta.ids for delta in found.deltas][:2] == [case.template.encode("a"), case.template.encode("b")]


def test_a_deadline_in_the_solution_ends_the_request() -> None:
    trace = interrupted(case_of("abCxyz$"), {5: Finish.DEADLINE}).trace
    assert show(trace) == "thinking:ab closing:C solution:xy"
    assert finishes(trace) == ["delimiter", "deadline"]
    assert (trace.cut, trace.solution_cut, trace.closed_by_deadline) == (True, False, False)


@pytest.mark.parametrize(("finish", "cut"), [(Finish.STOP, False), (Finish.ABORT, True)])
@pytest.mark.parametrize(("at", "shown"), [(0, ""), (2, "thinking:ab"), (5, "thinking:ab closing:C solution:xy")])
def test_what_was_sampled_before_a_stop_stays(finish: Finish, cut: bool, at: int, shown: str) -> None:
    trace = interrupted(case_of("abCxyz$"), {at: finish}).trace
    assert (show(trace), trace.error, trace.cut) == (shown, None, cut)
    assert finishes(trace)[-1] == str(finish)


def test_a_deadline_in_a_tool_call_ends_the_request() -> None:
    template = replace(TAGS, tools=replace(TAGS.tools, always=True))
    walk = Walk(case_of("", template).request, template)
    opening = template.tools.opening.ids
    engine = ScriptedEngine(by_count((*template.encode("ab"), *opening, *template.encode("xyz")), template), template)
    heard: list[Delta] = []

    def listen(delta: Delta) -> None:
        heard.append(delta)
        if delta.phase is Phase.TOOL and not delta.last:
            walk.interrupt(Finish.DEADLINE)

    [trace] = run(engine, [walk], listen)
    assert [str(s.phase) for s in trace.segments] == ["thinking", "tool", "tool"]
    assert trace.segments[-1].finish is Finish.DEADLINE
    assert (trace.tool_cut, trace.cut) == (True, True)


def test_a_deadline_for_thinking_that_is_over_does_nothing() -> None:
    """As where a timer and the delimiter come in one step."""
    trace = interrupted(case_of("abCxyz$"), {3: Finish.DEADLINE}).trace
    assert show(trace) == "thinking:ab closing:C solution:xyz$"


def test_a_deadline_for_thinking_alone_leaves_a_solution_that_has_begun() -> None:
    template = letters()
    walk = Walk(Request(Prompt(template.encode("q")), Budget(2, 3), "elastic"), template)
    cursor = Cursor(walk)
    cursor.wake(template.encode("ab"), None)
    assert walk.call is not None
    assert walk.call.phase is Phase.SOLUTION
    walk.interrupt(Finish.DEADLINE, Phase.THINKING)
    assert walk.interrupted is None
    walk.interrupt(Finish.DEADLINE, Phase.SOLUTION)
    assert walk.interrupted is Finish.DEADLINE


def test_a_walk_that_is_over_cannot_be_interrupted() -> None:
    case = case_of("abCxyz$")
    walk = Walk(case.request, case.template)
    list(run(ScriptedEngine(case.script(), case.template), [walk]))
    before = walk.trace()
    for finish in INTERRUPTS:
        walk.interrupt(finish)
    assert walk.trace() == before
    assert walk.interrupted is None
    with pytest.raises(ValueError, match="is no interrupt"):
        walk.interrupt(Finish.EOS)


def test_who_asks_to_be_told_of_interrupts_is_told_of_those_before_too() -> None:
    told: list[str] = []
    walk = Walk(case_of("ab").request, letters())
    walk.when_interrupted(lambda: told.append("one"))
    walk.interrupt(Finish.DEADLINE)
    walk.when_interrupted(lambda: told.append("two"))
    walk.when_interrupted(None)
    walk.interrupt(Finish.STOP)
    assert told == ["one", "two"]


def test_an_interpreter_without_a_cursor_hands_over_at_the_same_place() -> None:
    """`until`: before the solution, the forced delimiter being there."""
    case = case_of("abcdefxyz$")
    for made in (ScriptedEngine, ByCall):
        walk = Walk(case.request, case.template)
        [future] = made(case.script(), case.template).submit([walk], until=Phase.SOLUTION)
        assert future.result() is walk
        assert show(walk.trace()) == "thinking:abcdef closing:[C]"
        assert walk.call is not None


def test_a_second_cursor_tells_what_the_first_has_not() -> None:
    case, deltas = case_of("abCxyz$"), list[Delta]()
    walk = Walk(case.request, case.template)
    first = Cursor(walk, deltas.append, Phase.SOLUTION)
    first.wake(case.template.encode("abC"), None)
    assert first.done
    assert not first.watch
    second = Cursor(walk, deltas.append)
    second.wake(case.template.encode("xyz$"), None)
    assert put_together(deltas) == walk.segments


def case_of(says: str, template: Template | None = None, **options: str) -> Case:
    template = template or letters()
    request = Request(Prompt((4,), Thinking.OPEN), Budget(6, 4), options=Options(**options))
    return Case(request, template, None, template.encode(says), counting=True)
