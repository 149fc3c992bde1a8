"""Thinking and a solution, each with tokens of its own: what most strategies are made of.

yield from think_and_solve(prompt, budget, template, context, pause=Pause(every=64), look=look)
"""

from typing import Any

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.phases import Closed, solve_with_tools, think
from elastic_reasoning.core.room import Room
from elastic_reasoning.core.template import Prompt, Template, Thinking


def think_and_solve(
    prompt: Prompt, budget: Budget, template: Template, context: int | None, *, answer: tuple[int, ...] = (), **how: Any
) -> Calls:
    """Think, close, answer.

    Args:
        prompt, budget, template, context: as a strategy is given them.
        answer: ids that are forced before the solution is sampled.
        how: as `elastic_reasoning.core.phases.think` takes it.
    """
    room = Room(context, prompt)
    reserve = len(answer) + (budget.solution or 0)
    closed: Closed | None = Closed(0, ())
    if prompt.thinking is not Thinking.CLOSED:
        closed = yield from think(prompt, template, room, budget.thinking, reserve, **how)
    else:
        room.demand(reserve, "the solution budget")
    yield from solve_with_tools(prompt, template, room, closed, budget.solution, answer)


def check_finite(name: str, budget: Budget, why: str) -> None:
    """Refuse a budget that does not limit thinking.

    Raises:
        StrategyError: it does not.
    """
    if budget.thinking is None:
        raise StrategyError(f"budget {budget}: {name} {why}, give thinking a number of tokens")
