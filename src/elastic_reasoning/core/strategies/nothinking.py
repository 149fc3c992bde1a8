"""No thinking: the delimiter is forced at once. Ma et al. 2025, arXiv 2504.09858."""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.strategies.elastic import ElasticOptions, elastic
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template


@dataclass(frozen=True, slots=True)
class NoThinkingOptions:
    """What no thinking can be told."""

    wrap_up: str = ""
    """Text that is forced before the closing delimiter."""


def without_thinking(budget: Budget) -> Budget:
    """The budget with t = 0."""
    return Budget(0, budget.solution)


def nothinking(
    prompt: Prompt, budget: Budget, template: Template, options: NoThinkingOptions, context: int | None
) -> Calls:
    """Separate budgeting with t = 0."""
    yield from elastic(prompt, without_thinking(budget), template, ElasticOptions(options.wrap_up), context)


NOTHINKING = Strategy(
    run=nothinking,
    about="no thinking",
    source="Ma et al. 2025, arXiv 2504.09858",
    options=NoThinkingOptions,
    effective_budget=without_thinking,
    bounds="separate",
    two_phases=True,
    counts_only=True,
    line=":",
    marker="v",
)
