"""short-m@k: of several thinkings of one prompt, the first that finish vote, and the others are stopped.

"First" is by number of thinking tokens, as published by running all side by side: with equal numbers, the one with the
lower number among the branches. So the verdict does not hang on how an engine schedules them; how many tokens those had
that were stopped does. A tie of votes is won by the shortest thinking, as published. There each thinking has the whole
budget; here all of them together are held under t + s, so that it can be compared with one thinking of as many tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.siblings import Siblings, branches_of, has_thought, share_of, vote_of
from elastic_reasoning.core.strategies.strategy import Strategy, whole_budget
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.votes import elected


@dataclass(frozen=True, slots=True)
class ShortMOptions:
    """What short-m@k can be told."""

    num_branches: int = 4
    """Thinkings of each prompt (k); fewer where the budget is not enough for so many."""
    num_first: int = 1
    """Of these, the first to finish so many vote (m); 1 and 3 as published."""
    solution_tokens: int = 0
    """Tokens that the solution of each may have; 0 for s. The fewer, the more there are to think."""


def _count(options: ShortMOptions, budget: Budget) -> int:
    return share_of(budget, options.num_branches, options.solution_tokens)[0]


def _begin(options: ShortMOptions, request: Request, so_far: Sequence[Trace]) -> Sequence[Request]:
    if so_far:
        return ()
    num, budget = share_of(request.budget, options.num_branches, options.solution_tokens)
    return branches_of(request, range(num), options.num_branches, budget)


def _limit(options: ShortMOptions, thought: Sequence[int | None]) -> int | None:
    """The thinking tokens of the last one that votes, once there are so many; whoever has more comes too late."""
    finished = sorted(num for num in thought if num is not None)
    last = max(1, options.num_first) - 1
    return finished[last] if last < len(finished) else None


def _choose(options: ShortMOptions, branches: Sequence[Trace]) -> int:
    finished = [number for number, branch in enumerate(branches) if has_thought(branch)]
    first = sorted(finished, key=lambda number: branches[number].num_thinking_tokens)[: max(1, options.num_first)]
    answers = [vote_of(branches[number]) for number in first]
    return first[answers.index(elected(answers) or answers[0])] if first else 0


SHORT_M = Strategy(
    label="short-m@k",
    about="first to finish",
    source="Hassid et al. 2025, arXiv 2505.17813",
    options=ShortMOptions,
    when_closed=whole_budget,
    bounds="total",
    two_phases=True,
    siblings=Siblings(_count, _begin, _choose, _limit),
    line=(0, (1, 3)),
    marker="<",
)
