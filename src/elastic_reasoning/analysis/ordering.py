"""In which order settings and budgets are shown, wherever they are."""

from collections.abc import Iterable
from math import inf

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record


def by_setting(records: Iterable[Record]) -> dict[Setting, Records]:
    """The records of each setting: models in order of appearance, then strategies, then budgets by size."""
    groups = Records.of(records).by_setting()
    models = list(dict.fromkeys(setting.model for setting in groups))
    strategies = [*STRATEGIES, *sorted({setting.strategy for setting in groups} - set(STRATEGIES))]

    def order(setting: Setting) -> tuple[int, int, tuple[float, float]]:
        return models.index(setting.model), strategies.index(setting.strategy), budget_order(setting.budget)

    return {setting: groups[setting] for setting in sorted(groups, key=order)}


def budget_order(budget: Budget) -> tuple[float, float]:
    """A key that sorts budgets by their total, then by thinking; unlimited ones come last."""
    thinking, solution = (inf if part is None else part for part in (budget.thinking, budget.solution))
    return thinking + solution, thinking
