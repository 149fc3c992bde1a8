"""Parallel thinking: the budget is split over several thinkings, and the answer that most of them come to is taken.

As published the tokens of thinking are split. Here those of all branches together, solutions too, are held under t + s,
so that it can be compared with one thinking of as many tokens. Of the branches that have the answer the first one is
shown. Ties are won by the answer that came first by number, where the published code leaves it to the order of a
counter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.siblings import Siblings, branches_of, share_of, vote_of
from elastic_reasoning.core.strategies.strategy import Strategy, whole_budget
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.votes import elected


@dataclass(frozen=True, slots=True)
class VoteOptions:
    """What parallel thinking can be told."""

    num_branches: int = 4
    """Thinkings of each prompt; fewer where the budget is not enough for so many."""
    solution_tokens: int = 0
    """Tokens that the solution of each may have; 0 for s. The fewer, the more there are to think."""


def _count(options: VoteOptions, budget: Budget) -> int:
    return share_of(budget, options.num_branches, options.solution_tokens)[0]


def _begin(options: VoteOptions, request: Request, so_far: Sequence[Trace]) -> Sequence[Request]:
    if so_far:
        return ()
    num, budget = share_of(request.budget, options.num_branches, options.solution_tokens)
    return branches_of(request, range(num), options.num_branches, budget)


def _choose(options: VoteOptions, branches: Sequence[Trace]) -> int:
    answers = [vote_of(branch) for branch in branches]
    return answers.index(elected(answers) or answers[0])


VOTE = Strategy(
    about="parallel thinking",
    source="Ghosal et al. 2025, arXiv 2506.04210",
    options=VoteOptions,
    when_closed=whole_budget,
    bounds="total",
    two_phases=True,
    siblings=Siblings(_count, _begin, _choose),
    line=(0, (7, 1, 1, 1)),
    marker="8",
)
