"""Several thinkings of one prompt under one total budget: what a strategy says that chooses among them.

    SIBLINGS = Siblings(count=count, begin=begin, choose=choose)
    Strategy(siblings=SIBLINGS, options=VoteOptions, bounds="total")

Each branch is an ordinary request, with a budget of its own and draws of its own, so that it can be replayed by itself.
Which one is chosen is a function of the branches as they stand in the trace, and of nothing else: neither of the order
in which they came, nor of how fast an engine is. `elastic_reasoning.core.family` brings them together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options, Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.votes import answer_of, stated_in


@dataclass(frozen=True, slots=True)
class Siblings:
    """How a strategy thinks several times and chooses. Its own options are the first argument of each part."""

    count: Callable[[Any, Budget], int]
    """How many branches there are at the most."""
    begin: Callable[[Any, Request, Sequence[Trace]], Sequence[Request]]
    """What is asked next, given all branches so far. It is called in the beginning, with none, and whenever all of them
    are over; there are no more where it gives none, or where the request has been interrupted."""
    choose: Callable[[Any, Sequence[Trace]], int]
    """The number of the branch that is the answer. Some may have been ended in their thinking."""
    limit: Callable[[Any, Sequence[int | None]], int | None] | None = None
    """Thinking tokens above which a branch makes no difference any more and is ended, given those of each branch that
    has finished thinking and `None` for the others; `None` for no such limit yet."""
    ends: Callable[[Any, Sequence[Trace]], Callable[[Sequence[float]], bool] | None] | None = None
    """Given all branches so far, what ends one of those that come next: it is told of the log-probabilities of the
    branch's thinking, as they come, and says when that makes no difference any more. It is made anew for each branch;
    `None` where nothing ends those."""


def has_thought(branch: Trace) -> bool:
    """Whether it came to the end of its thinking."""
    return any(segment.phase in (Phase.CLOSING, Phase.SOLUTION) for segment in branch.segments)


def vote_of(branch: Trace) -> str:
    """The answer that a branch votes for; nothing where it has none, or was cut before it had stated one."""
    if not has_thought(branch):
        return ""
    text = branch.solution_text
    return stated_in(text) if branch.cut else answer_of(text)


def share_of(budget: Budget, num_branches: int, solution_tokens: int) -> tuple[int, Budget]:
    """How many branches a budget is enough for, and the budget of each.

    With n branches each has (t + s) // n tokens, of which its solution keeps what it needs: all of them together never
    sample more than t + s. Where that leaves no token to think, there are fewer branches. A budget without limit bounds
    nothing: what is limited of it is thinking alone, t // n tokens each.

    Args:
        budget: of all of them.
        num_branches: that are wanted.
        solution_tokens: that the solution of each may have; 0 for s.
    """
    num = max(1, num_branches)
    solution = budget.solution
    if solution_tokens and solution is not None:
        solution = min(solution_tokens, solution)
    if budget.total is None or solution is None:
        return num, Budget(None if budget.thinking is None else budget.thinking // num, solution)
    num = max(1, min(num, budget.total // (solution + 1)))
    return num, Budget(budget.total // num - solution, solution)


def branches_of(
    request: Request,
    numbers: range,
    num_branches: int,
    budget: Budget,
    strategy: str = DEFAULT_STRATEGY,
    options: Options | None = None,
) -> list[Request]:
    """Branches of a request. Those of another sample, and of another number, share no draws.

    Args:
        request: what is asked of all.
        numbers: of these branches.
        num_branches: that were wanted in all: the draws of one do not hang on how many the budget is enough for.
        budget: of each.
        strategy: how each spends it.
        options: of that strategy.

    Raises:
        StrategyError: greedy sampling, under which all of them would be the same.
    """
    if request.sampling.temperature == 0:
        raise StrategyError(
            f"strategy {request.strategy!r} at temperature 0: all thinkings of a prompt would be the same; give a "
            "temperature above 0"
        )
    first = request.sample * max(1, num_branches)
    own = replace(request, budget=budget, strategy=strategy, options=options or Options(), name="")
    return [replace(own, sample=first + number) for number in numbers]
