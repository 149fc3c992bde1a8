"""Separate budgeting: t thinking tokens, then the delimiter is forced, then s solution tokens."""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.phases import Closed, Room, solve_with_tools, think
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template, Thinking


@dataclass(frozen=True, slots=True)
class ElasticOptions:
    """What separate budgeting can be told."""

    wrap_up: str = ""
    """Text that is forced before a forced closing delimiter."""
    grace: int = 0
    """Thinking closes at the first line or sentence end among its last so many tokens."""
    min_thinking: int = 0
    """Tokens that are thought at the least."""
    wait: str = ""
    """Text that replaces a closing delimiter that is sampled too early; without it the delimiter and the end of
    sequence cannot be sampled until then."""


def elastic(prompt: Prompt, budget: Budget, template: Template, options: ElasticOptions, context: int | None) -> Calls:
    """Think, close, answer."""
    room = Room(context, prompt)
    closed: Closed | None = Closed(0, ())
    if prompt.thinking is not Thinking.CLOSED:
        closed = yield from think(
            prompt,
            template,
            room,
            budget.thinking,
            budget.solution or 0,
            wrap_up=options.wrap_up,
            grace=options.grace,
            min_thinking=options.min_thinking,
            wait=options.wait,
        )
    else:
        room.demand(budget.solution or 0, "the solution budget")
    yield from solve_with_tools(prompt, template, room, closed, budget.solution)


def _refuse(budget: Budget, options: ElasticOptions) -> None:
    if budget.thinking is not None and options.min_thinking > budget.thinking:
        raise StrategyError(
            f"min_thinking {options.min_thinking} is more than the thinking budget of {budget.thinking} tokens"
        )


ELASTIC = Strategy(
    run=elastic,
    refuse=_refuse,
    about="separate budgets",
    source="Xu et al. 2025, arXiv 2505.05315",
    options=ElasticOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    cuts=True,
    line="-",
    marker="o",
)
