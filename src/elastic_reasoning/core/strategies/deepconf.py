"""Thinking with confidence: unsure thinkings are stopped, and the others vote, each with its confidence.

The confidence of a group is the mean log-probability of so many tokens of thinking in a row, and that of a branch is
its lowest group's. The first branches run to their ends; a percentile of their confidences is what every later one is
held to: it is stopped as soon as one of its groups falls below. The vote is weighted by confidence, and those below the
threshold, first ones too, have none, as published (github.com/facebookresearch/deepconf, `deepconf-online.py`).

Where this differs: a token's confidence is published as the mean log-probability of the 20 likeliest tokens, with the
sign changed, and here is the log-probability of the token that was sampled, which every engine gives. Groups are of
thinking alone. Where nobody is above the threshold, all vote. All branches together are held under t + s. The paper
also begins no more branches once the votes agree enough; its code for several at once, and this, do not.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.looking import no_logprobs
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.siblings import Siblings, branches_of, has_thought, share_of, vote_of
from elastic_reasoning.core.strategies.strategy import Strategy, whole_budget
from elastic_reasoning.core.trace import LOGPROB_PLACES, Trace
from elastic_reasoning.core.votes import elected

NAME = "deepconf"
POINTS = 10**LOGPROB_PLACES
"""A log-probability is reckoned as so many whole parts of a nat: sums are exact, however they are come by."""
WEIGHTS = 10**6
"""Parts of a vote."""


@dataclass(frozen=True, slots=True)
class DeepconfOptions:
    """What thinking with confidence can be told."""

    num_branches: int = 8
    """Thinkings of each prompt (256 as published); fewer where the budget is not enough for so many."""
    num_warmup: int = 4
    """Of these, the first ones, which are never stopped (16 as published)."""
    keep_percent: int = 10
    """A branch is to be as confident as so many percent of the first ones are (10 or 90 as published)."""
    window: int = 2048
    """Tokens of a group (2048 as published); a shorter thinking is one group, and is never stopped."""
    solution_tokens: int = 0
    """Tokens that the solution of each may have; 0 for s. The fewer, the more there are to think."""


def _count(options: DeepconfOptions, budget: Budget) -> int:
    return share_of(budget, options.num_branches, options.solution_tokens)[0]


def _begin(options: DeepconfOptions, request: Request, so_far: Sequence[Trace]) -> Sequence[Request]:
    num, budget = share_of(request.budget, options.num_branches, options.solution_tokens)
    stop = num if so_far else min(num, max(1, options.num_warmup))
    return branches_of(request, range(len(so_far), stop), options.num_branches, budget)


def _points(logprobs: Sequence[float]) -> list[int]:
    return [round(value * POINTS) for value in logprobs]


def _confidence(options: DeepconfOptions, branch: Trace) -> float:
    """The lowest mean of a group of a branch, in parts of a nat; 0 where it has not thought at all.

    Raises:
        StrategyError: the engine gave no log-probabilities.
    """
    points: list[int] = []
    for segment in branch.segments:
        if segment.phase is Phase.THINKING and segment.sampled:
            if segment.logprobs is None:
                raise StrategyError(no_logprobs(NAME))
            points += _points(segment.logprobs)
    size = min(max(1, options.window), len(points))
    sums = [0, *accumulate(points)]
    return min(((sums[n] - sums[n - size]) / size for n in range(size, len(sums)) if size), default=0.0)


def _threshold(options: DeepconfOptions, branches: Sequence[Trace]) -> float:
    """What a branch's confidence is to reach: a percentile of the first ones', interpolated."""
    first = sorted(_confidence(options, branch) for branch in branches[: max(1, options.num_warmup)])
    place = (len(first) - 1) * (100 - min(100, options.keep_percent)) / 100
    low = int(place)
    high = min(low + 1, len(first) - 1)
    return first[low] + (first[high] - first[low]) * (place - low)


def _ends(options: DeepconfOptions, so_far: Sequence[Trace]) -> Callable[[Sequence[float]], bool] | None:
    if not so_far:
        return None
    threshold, size = _threshold(options, so_far), max(1, options.window)
    group: deque[int] = deque([0] * size)
    num = total = 0

    def is_unsure(logprobs: Sequence[float]) -> bool:
        nonlocal num, total
        for point in _points(logprobs):
            group.append(point)
            total += point - group.popleft()
            num += 1
            if num >= size and total / size < threshold:
                return True
        return False

    return is_unsure


def _choose(options: DeepconfOptions, branches: Sequence[Trace]) -> int:
    threshold = _threshold(options, branches)
    confidences = [_confidence(options, branch) for branch in branches]
    votes = [vote_of(branch) for branch in branches]
    sure = [vote if value >= threshold else "" for vote, value in zip(votes, confidences, strict=True)]
    votes = sure if any(sure) else votes
    answer = elected(votes, [max(1, int(WEIGHTS * exp(value / POINTS))) for value in confidences])
    voters = [n for n, vote in enumerate(votes) if vote == answer and (answer or has_thought(branches[n]))]
    return max(voters, key=lambda n: confidences[n], default=0)


DEEPCONF = Strategy(
    about="confident ones vote",
    source="Fu et al. 2025, arXiv 2508.15260",
    options=DeepconfOptions,
    when_closed=whole_budget,
    bounds="total",
    two_phases=True,
    reads_logprobs=lambda options: True,
    siblings=Siblings(_count, _begin, _choose, ends=_ends),
    line=(0, (4, 1, 2, 1)),
    marker=">",
)
