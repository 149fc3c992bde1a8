"""A length is asked for in the prompt: one to be met (exact), or one that is not to be exceeded (max)."""

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import BudgetError
from elastic_reasoning.core.phases import Room, plain
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template

SOURCE = "Aggarwal & Welleck 2025, arXiv 2503.04697"


def l1_exact(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """The prompt asks for n = t + s tokens; hard cap 2n."""
    yield from plain(prompt, template, Room(context, prompt), None, cap=2 * _asked_length(budget))


def l1_max(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """The prompt asks for at most n = t + s tokens; hard cap `max_total`."""
    yield from plain(prompt, template, Room(context, prompt), None, cap=options.max_total)


def _asked_length(budget: Budget) -> int:
    if budget.total is None:
        raise BudgetError(f"budget {budget}: l1 asks for a length in the prompt and needs two finite parts")
    return budget.total


L1_EXACT = Strategy(
    run=l1_exact,
    about="a length asked for",
    source=SOURCE,
    ask=lambda budget: f"Think for {_asked_length(budget)} tokens.",
    bounds="asked",
    length="exact",
    line=(0, (5, 1, 1, 1)),
    marker="D",
)
L1_MAX = Strategy(
    run=l1_max,
    about="a greatest length asked for",
    source=SOURCE,
    supported_options=frozenset({"max_total"}),
    ask=lambda budget: f"Think for maximum {_asked_length(budget)} tokens.",
    bounds="asked",
    length="max",
    line=(0, (5, 1, 1, 1, 1, 1)),
    marker="P",
)
