"""A length is asked for in the prompt: one to be met (exact), or one that is not to be exceeded (max)."""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import BudgetError
from elastic_reasoning.core.phases import plain
from elastic_reasoning.core.room import Room
from elastic_reasoning.core.strategies.strategy import NoOptions, Strategy
from elastic_reasoning.core.template import Prompt, Template

SOURCE = "Aggarwal & Welleck 2025, arXiv 2503.04697"


@dataclass(frozen=True, slots=True)
class L1MaxOptions:
    """What L1-Max can be told."""

    max_total: int = 8192
    """The hard cap in tokens (8192 as published)."""


def l1_exact(prompt: Prompt, budget: Budget, template: Template, options: NoOptions, context: int | None) -> Calls:
    """The prompt asks for n = t + s tokens; hard cap 2n."""
    yield from plain(prompt, template, Room(context, prompt), None, cap=2 * _asked_length(budget))


def l1_max(prompt: Prompt, budget: Budget, template: Template, options: L1MaxOptions, context: int | None) -> Calls:
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
    counts_only=True,
    length="exact",
    line=(0, (5, 1, 1, 1)),
    marker="D",
)
L1_MAX = Strategy(
    run=l1_max,
    about="a greatest length asked for",
    source=SOURCE,
    options=L1MaxOptions,
    ask=lambda budget: f"Think for maximum {_asked_length(budget)} tokens.",
    bounds="asked",
    counts_only=True,
    length="max",
    line=(0, (5, 1, 1, 1, 1, 1)),
    marker="P",
)
