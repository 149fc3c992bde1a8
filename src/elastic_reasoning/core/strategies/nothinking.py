"""No thinking: the delimiter is forced at once. Ma et al. 2025, arXiv 2504.09858."""

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.strategies.elastic import elastic
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template


def without_thinking(budget: Budget) -> Budget:
    """The budget with t = 0."""
    return Budget(0, budget.solution)


def nothinking(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """Separate budgeting with t = 0."""
    yield from elastic(prompt, without_thinking(budget), template, options, context)


NOTHINKING = Strategy(
    run=nothinking,
    about="no thinking",
    source="Ma et al. 2025, arXiv 2504.09858",
    supported_options=frozenset({"wrap_up"}),
    effective_budget=without_thinking,
    bounds="separate",
    two_phases=True,
    line=":",
    marker="v",
)
