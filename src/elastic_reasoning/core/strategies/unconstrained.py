"""No budget but the model's context."""

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.phases import plain
from elastic_reasoning.core.room import Room
from elastic_reasoning.core.strategies.strategy import NoOptions, Strategy
from elastic_reasoning.core.template import Prompt, Template


def unconstrained(prompt: Prompt, budget: Budget, template: Template, options: NoOptions, context: int | None) -> Calls:
    """Sample until the sequence ends, or the context does."""
    yield from plain(prompt, template, Room(context, prompt), None)


UNCONSTRAINED = Strategy(
    run=unconstrained, about="no budget", effective_budget=lambda budget: Budget(None, None), counts_only=True
)
