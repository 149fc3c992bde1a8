"""Properties of every strategy, over arbitrary token scripts, templates and budgets."""

from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from cases import Case, cases
from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.trace import Trace
from letters import by_events


def parts(trace: Trace) -> list[tuple]:
    return [(s.phase, s.ids, s.sampled, s.finish) for s in trace.segments]


def read_as_it_was(trace: Trace) -> bool:
    """Whether the ids alone tell what happened: nothing was discarded, and nothing forced before its time."""
    thinking = [s for s in trace.segments if s.phase is Phase.THINKING and s.sampled]
    return (
        all(s.finish is Finish.PAUSE for s in thinking[:-1])
        and all(s.finish is not Finish.EOS or s.ids[-1:] for s in thinking)
        and not (trace.forced_close and any(s.finish is Finish.EOS for s in thinking))
    )


@settings(max_examples=2500)
@given(cases())
def test_every_trace_follows_the_rules(case: Case) -> None:
    trace = case.run("token")
    event(f"{case.request.strategy}, {'refused' if trace.error else 'answered'}")
    for finish in {s.finish for s in trace.segments if s.phase is Phase.THINKING} - {None}:
        event(f"thinking ended by {finish}")
    kinds = [s.sampled for s in trace.segments if s.phase is Phase.CLOSING]
    event(f"closing {kinds}")
    assert check(trace, case.context) == []


@settings(max_examples=1500)
@given(cases())
def test_both_interpreters_and_an_obedient_engine_give_the_same_trace(case: Case) -> None:
    by_token, by_call = case.run("token"), case.run("call")
    engine = by_events(case.request, case.template, case.context, case.script())
    assert by_token.segments == by_call.segments == engine.segments
    assert by_token.probes == by_call.probes == engine.probes
    assert by_token.error == by_call.error == engine.error


@settings(max_examples=1500)
@given(cases())
def test_replay_gives_the_segments_back(case: Case) -> None:
    trace = case.run("token")
    again = replay(
        case.request, trace.ids, case.template, case.context, trace.sampled_mask, trace.logprobs, probes=trace.probes
    )
    assert again == trace
    if read_as_it_was(trace):
        bare = replay(case.request, trace.ids, case.template, case.context, probes=trace.probes)
        if "goes by log-probabilities" in (bare.error or ""):  # of thinking, which the ids do not have
            assert find_strategy(case.request.strategy).goes_by_logprobs(case.request.options)
        else:
            assert parts(bare) == parts(trace)


@settings(max_examples=800)
@given(cases(("elastic", "s1", "vanilla")), st.integers(0, 9), st.integers(0, 9))
def test_the_thinking_of_a_smaller_budget_begins_that_of_a_larger_one(case: Case, thinking: int, more: int) -> None:
    short, long = (
        replace(
            case,
            request=replace(case.request, budget=Budget(t, case.request.budget.solution)),
            counting=False,
            context=None,
        ).run("token")
        for t in (thinking, thinking + more)
    )
    if short.error or long.error:
        return
    # A delimiter that vanilla cuts in the middle is thinking there: all of its ids are compared.
    phases = set(Phase) if case.request.strategy == "vanilla" else {Phase.THINKING}
    short_ids, long_ids = (
        [token for s in trace.segments if s.phase in phases for token in s.ids] for trace in (short, long)
    )
    assert short_ids == long_ids[: len(short_ids)]


@settings(max_examples=500)
@given(cases(("elastic", "nothinking")), st.integers(0, 9), st.integers(0, 9))
def test_a_larger_solution_budget_leaves_thinking_alone_and_goes_on_with_the_solution(
    case: Case, solution: int, more: int
) -> None:
    short, long = (
        replace(case, request=replace(case.request, budget=Budget(case.request.budget.thinking, s)), context=None).run(
            "token"
        )
        for s in (solution, solution + more)
    )
    assert short.ids == long.ids[: len(short.ids)]
    assert short.sampled_mask == long.sampled_mask[: len(short.ids)]
