"""Confidence of branches: who is stopped, who votes, and with what weight."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.family import replay_family
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Finish, Phase, Segment
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine
from letters import by_position, letters

TEMPLATE = letters()


def asked(budget: str = "120+4", **options: str | int) -> Request:
    return Request(Prompt((4,), Thinking.OPEN), Budget.parse(budget), "deepconf", Options(options))


def branch(number: int, logprobs: Sequence[float] | None, solution: str, stopped: bool = False) -> Trace:
    """A branch that has thought with these log-probabilities."""
    num = len(logprobs or "aa")
    given = None if logprobs is None else tuple(logprobs)
    finish = Finish.STOP if stopped else Finish.DELIMITER
    segments = [Segment(Phase.THINKING, TEMPLATE.encode("a") * num, True, given, finish)]
    if not stopped:
        segments += [
            Segment(Phase.CLOSING, TEMPLATE.encode("C"), True, given and (0.0,)),
            Segment(Phase.SOLUTION, TEMPLATE.encode(solution + "$"), True, given and (0.0, 0.0), Finish.EOS),
        ]
    return Trace(replace(asked(), strategy="elastic", options=Options(), sample=number), tuple(segments), TEMPLATE)


def chosen(branches: Sequence[Trace], **options: int) -> int:
    strategy = STRATEGIES["deepconf"]
    assert strategy.siblings is not None
    return strategy.siblings.choose(strategy.read(options), branches)


def test_a_branch_is_as_confident_as_its_lowest_group() -> None:
    even, uneven = branch(0, [-0.5] * 4, "x"), branch(1, [0, 0, -1, -0.8], "y")
    assert chosen([even, uneven], num_warmup=2, keep_percent=100, window=2) == 0
    assert chosen([even, uneven], num_warmup=2, keep_percent=100, window=4) == 1
    assert chosen([even, uneven], num_warmup=2, keep_percent=100, window=9) == 1  # one group


def test_only_those_that_reach_the_percentile_of_the_first_vote() -> None:
    branches = [branch(n, [-value], text) for n, (value, text) in enumerate([(1, "x"), (2, "x"), (3, "y"), (0.5, "y")])]
    assert chosen(branches, num_warmup=2, keep_percent=50) == 3  # at -1.5: x of -1 against y of -0.5
    assert chosen(branches[:3], num_warmup=3, keep_percent=100) == 0  # at -3: all, x outweighs y
    lost = branch(4, [-0.1], "", stopped=True)
    assert chosen([*branches[:2], lost], num_warmup=2, keep_percent=0) == 0


def test_where_nobody_is_sure_all_vote() -> None:
    cut = branch(0, [-1], "x", stopped=True)
    assert chosen([cut, branch(1, [-2], "y"), branch(2, [-3], "y")], num_warmup=1, keep_percent=10) == 1


def test_later_branches_are_stopped_as_soon_as_they_are_unsure() -> None:
    def script(request: Request, ids: Sequence[int]) -> list[int]:
        said = "abcdefw"[request.sample % 7] * (3 + 5 * request.sample % 11) + "Cx$"
        return list(by_position(TEMPLATE.encode(said), TEMPLATE)(request, ids))

    request = asked("200+4", window=3, num_branches=9, num_warmup=2, keep_percent=100)
    [trace] = run(ScriptedEngine(script, TEMPLATE), [Walk(request, TEMPLATE)])
    assert trace.error is None
    assert len(trace.branches) == 9
    assert replay_family(trace) == trace

    def lowest(each: Trace) -> float:
        thought = each.segments[0].logprobs or ()
        return min(round(sum(thought[n : n + 3]) / 3, 5) for n in range(len(thought) - 2))

    bar = min(lowest(each) for each in trace.branches[:2])
    ends = [(lowest(each) < bar, each.segments[-1].finish) for each in trace.branches[2:]]
    assert set(ends) == {(True, Finish.STOP), (False, Finish.EOS)}
    assert trace.segments not in [each.segments for each in trace.branches if each.segments[-1].finish is Finish.STOP]


def test_without_log_probabilities_it_is_refused() -> None:
    walk = Walk(asked(), TEMPLATE)
    assert {one.logprobs_for for one in walk.branches} == {"deepconf"}
    with pytest.raises(StrategyError, match="'deepconf' goes by log-probabilities"):
        chosen([branch(0, None, "x")])
