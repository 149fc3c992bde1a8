"""Separate budgeting: t thinking tokens, then the delimiter is forced, then s solution tokens."""

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.phases import Closed, Room, solve_with_tools, think
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template, Thinking


def elastic(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """Think, close, answer."""
    if budget.thinking is not None and options.min_thinking > budget.thinking:
        raise StrategyError(
            f"min_thinking {options.min_thinking} is more than the thinking budget of {budget.thinking} tokens"
        )
    room = Room(context, prompt)
    closed: Closed | None = Closed(0, ())
    if prompt.thinking is not Thinking.CLOSED:
        closed = yield from think(prompt, template, options, room, budget.thinking, budget.solution or 0)
    else:
        room.demand(budget.solution or 0, "the solution budget")
    yield from solve_with_tools(prompt, template, room, closed, budget.solution)


ELASTIC = Strategy(
    run=elastic,
    about="separate budgets",
    source="Xu et al. 2025, arXiv 2505.05315",
    supported_options=frozenset({"wrap_up", "grace", "min_thinking", "wait"}),
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    cuts=True,
    line="-",
    marker="o",
)
