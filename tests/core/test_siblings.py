"""Several thinkings of one prompt: what each may have, which is chosen, and that all of it can be made again."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Completion
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.family import replay_family
from elastic_reasoning.core.needs import most_tokens, needs_of
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.siblings import share_of
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine
from letters import by_position, finishes, letters, show

TEMPLATE = letters()
SAID = ("abcdCx$", "aCy$", "abCx$", "abcCz$")


def asked(strategy: str, budget: str = "36+4", **options: str | int) -> Request:
    return Request(Prompt((4,), Thinking.OPEN), Budget.parse(budget), strategy, Options(options))


def engine(*said: str) -> ScriptedEngine:
    """Each branch says a text of its own."""

    def script(request: Request, ids: tuple[int, ...]) -> list[int]:
        text = TEMPLATE.encode((said or SAID)[request.sample % len(said or SAID)])
        return list(by_position(text, TEMPLATE)(request, ids))

    return ScriptedEngine(script, TEMPLATE)


def answered(request: Request, *said: str) -> Trace:
    [trace] = run(engine(*said), [Walk(request, TEMPLATE)])
    assert all(check(branch, None) == [] for branch in trace.branches if "stop" not in finishes(branch))
    if trace.error is None:
        assert replay_family(trace) == trace
    return trace


@given(st.integers(0, 60), st.integers(0, 30), st.integers(0, 9), st.integers(0, 40))
def test_all_branches_together_have_no_more_than_the_budget(t: int, s: int, wanted: int, kept: int) -> None:
    num, each = share_of(Budget(t, s), wanted, kept)
    assert 1 <= num <= max(1, wanted)
    assert each.total is not None
    assert num * each.total <= t + s
    assert each.thinking == (t + s) // num - (each.solution or 0)
    assert num == 1 or each.thinking
    assert each.solution == (min(s, kept) if kept else s)


def test_what_has_no_limit_is_not_divided() -> None:
    assert share_of(Budget(None, 8), 4, 0) == (4, Budget(None, 8))
    assert share_of(Budget(20, None), 4, 0) == (4, Budget(5, None))
    assert share_of(Budget(20, None), 4, 6) == (4, Budget(5, None))


def test_the_majority_is_taken_and_its_first_branch_shown() -> None:
    trace = answered(asked("vote"))
    assert show(trace) == "thinking:abcd closing:C solution:x$"
    assert [show(branch).split()[0] for branch in trace.branches] == [
        *("thinking:abcd", "thinking:a", "thinking:ab", "thinking:abc")
    ]
    assert trace.num_spent_tokens == sum(map(len, SAID))
    assert {branch.request.budget for branch in trace.branches} == {Budget(6, 4)}
    assert [branch.request.sample for branch in trace.branches] == [0, 1, 2, 3]


def test_branches_of_another_sample_share_no_draws() -> None:
    walk = Walk(replace(asked("vote", "10+4"), sample=1), TEMPLATE)
    assert [branch.request.sample for branch in walk.branches] == [4, 5]  # as many as the budget is enough for


@pytest.mark.parametrize(("num_first", "text"), [(1, "y$"), (2, "y$"), (3, "y$"), (4, "x$"), (9, "x$"), (0, "y$")])
def test_the_first_to_finish_vote_and_the_shortest_wins_a_tie(num_first: int, text: str) -> None:
    trace = answered(asked("short-m", num_first=num_first))
    assert TEMPLATE.decode(trace.segments[-1].ids) == text


def test_those_that_come_too_late_are_stopped() -> None:
    trace = answered(asked("short-m", num_first=2))
    assert [finishes(branch)[-1] for branch in trace.branches] == ["eos", "eos", "eos", "stop"]
    assert trace.branches[3].num_thinking_tokens == 3


def test_a_solution_that_is_cut_before_it_has_stated_an_answer_has_no_vote() -> None:
    trace = answered(asked("vote", "4+4", num_branches=2, solution_tokens=2), "aCxy", "aCz$")
    assert show(trace).endswith("solution:z$")


def test_one_thinking_is_left_of_a_small_budget() -> None:
    assert show(answered(asked("vote", "2+4"))) == "thinking:ab closing:[C] solution:dCx$"
    assert show(answered(asked("vote", "0+0"))) == "closing:[C]"


def test_a_prompt_that_closes_thinking_leaves_solutions_to_vote() -> None:
    request = replace(asked("vote"), prompt=Prompt((4,), Thinking.CLOSED))
    trace = answered(request, "x$", "y$", "y$", "z$")
    assert show(trace) == "solution:y$"


def test_thinkings_that_would_be_the_same_are_refused() -> None:
    request = replace(asked("vote"), sampling=Sampling(temperature=0))
    assert "temperature 0" in (answered(request).error or "")


def test_a_budget_that_does_not_fit_is_an_error_before_anything_is_begun() -> None:
    walk = Walk(asked("vote", "200+4"), TEMPLATE, context=20)
    assert walk.call is None
    assert "context" in (walk.error or "")


def test_one_completion_cannot_be_several() -> None:
    walk = Walk(asked("vote"), TEMPLATE)
    assert Cursor(walk).done
    assert "thinks several times" in (walk.error or "")
    walk = Walk(asked("vote"), TEMPLATE)
    with pytest.raises(RuntimeError, match="branches"):
        walk.finish(Completion((), (), Finish.LENGTH))


def test_the_needs_of_all_branches_count() -> None:
    one = needs_of(Request(Prompt((4,), Thinking.OPEN), Budget(6, 4)), TEMPLATE)
    all_of_them = needs_of(asked("vote"), TEMPLATE)
    assert one.tokens is not None
    assert one.sampled is not None
    assert (all_of_them.tokens, all_of_them.sampled) == (4 * one.tokens, 4 * one.sampled)
    assert most_tokens(asked("vote"), TEMPLATE, context=5) == 16
    assert not all_of_them.takes_back


@settings(max_examples=60)
@given(
    st.sampled_from([("vote", {}), ("short-m", {"num_first": 1}), ("short-m", {"num_first": 2})]),
    st.lists(st.text("abCxy$", max_size=9), min_size=3, max_size=3),
    st.dictionaries(st.integers(1, 25), st.sampled_from([*Finish][-3:]), max_size=2),
    st.integers(0, 20),
)
def test_whatever_interrupts_it_a_family_can_be_made_again(
    spent: tuple[str, dict[str, int]], said: list[str], interrupts: dict[int, Finish], t: int
) -> None:
    strategy, options = spent
    request = asked(strategy, f"{t}+3", num_branches=3, **options)
    walk, num = Walk(request, TEMPLATE), 0
    inner = engine(*said)

    def script(branch: Request, ids: tuple[int, ...]) -> list[int]:
        nonlocal num
        num += 1
        if num in interrupts:
            walk.interrupt(interrupts[num])
        return list(inner.script(branch, ids))

    [trace] = run(ScriptedEngine(script, TEMPLATE), [walk])
    assert replay_family(trace) == trace
    assert trace.segments in [branch.segments for branch in trace.branches]
    closing = sum(len(s.ids) for b in trace.branches for s in b.segments if s.phase is Phase.CLOSING and s.sampled)
    assert trace.num_spent_tokens - closing <= t + 3


def test_what_is_no_branch_of_its_request_is_not_made_again() -> None:
    trace = answered(asked("vote"))
    other = replace(trace, branches=(*trace.branches[:3], replace(trace.branches[3], request=asked("elastic"))))
    with pytest.raises(EngineError, match="begins"):
        replay_family(other)
    with pytest.raises(EngineError, match="has 4 branches"):
        replay_family(replace(trace, branches=trace.branches[:3]))


def test_time_closes_the_thinking_of_all_branches_and_then_ends_them() -> None:
    walk = Walk(asked("vote"), TEMPLATE)
    cursors = [Cursor(branch) for branch in walk.branches]
    cursors[0].wake(TEMPLATE.encode("aC"), None)
    walk.interrupt(Finish.DEADLINE, Phase.SOLUTION)  # the others think still
    assert [branch.interrupted for branch in walk.branches] == [None] * 4
    walk.interrupt(Finish.DEADLINE)
    for cursor in cursors[1:]:
        cursor.wake(TEMPLATE.encode("a"), None)
    assert [branch.call and branch.call.phase for branch in walk.branches] == [Phase.SOLUTION] * 4
    assert walk.branch() == []
    walk.interrupt(Finish.DEADLINE)
    for cursor in cursors:
        cursor.wake((), None)
    assert all(branch.call is None for branch in walk.branches)
