"""Plain truncation: t + s tokens in all, wherever the delimiter falls; it is not counted."""

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.phases import plain
from elastic_reasoning.core.room import Room
from elastic_reasoning.core.strategies.strategy import NoOptions, Strategy
from elastic_reasoning.core.template import Prompt, Template


def vanilla(prompt: Prompt, budget: Budget, template: Template, options: NoOptions, context: int | None) -> Calls:
    """Sample until the total is spent or the sequence ends."""
    yield from plain(prompt, template, Room(context, prompt), budget.total)


VANILLA = Strategy(run=vanilla, about="truncated", bounds="total", counts_only=True, line=(0, (1, 1.5)), marker="s")
