"""Accuracies at a glance: a line for each model and strategy, a column for each budget.

console.print(*accuracy_grid(summarise(records), console.width), sep="\\n")
"""

from collections.abc import Sequence

from rich.table import Table

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.strategies import facts_of, label_of
from elastic_reasoning.report.layout import parts_of
from elastic_reasoning.report.names import short_names


def accuracy_grid(rows: Sequence[Row], width: int = 80) -> list[Table | str]:
    """Accuracy in percent; the last column is thinking without limit, with the tokens it took.

    Made for settings whose budgets share one s, as in a sweep over t. Folders of models are shown by their last part.

    Returns:
        As many tables as a terminal of that width asks for, and what they are.
    """
    limited = [row for row in rows if not facts_of(row.strategy).ignores_budget]
    budgets = sorted({row.budget for row in limited}, key=_thinking)
    names = short_names(row.model for row in rows)
    by_setting = {(row.model, row.strategy, row.budget): row for row in rows}
    free = {row.model: row for row in rows if facts_of(row.strategy).ignores_budget}
    arms = list(dict.fromkeys((row.model, row.strategy) for row in limited))
    columns = {f" {b.partition('+')[0]}": [_percent(by_setting.get((*arm, b))) for arm in arms] for b in budgets}
    columns["no limit"] = [_free(free.get(model)) for model, _ in arms]
    solution = {budget.partition("+")[2] for budget in budgets}
    both = f"; each with {solution.pop()} for the solution" if len(solution) == 1 else ""
    summed = sorted({strategy for _, strategy in arms if facts_of(strategy).bounds == "total"})
    sums = f"; {' and '.join(summed)} get{'s' * (len(summed) == 1)} the sum" if summed else ""
    probed = sorted({row.strategy for row in limited if row.mean_probe_tokens})
    beyond = f"; probes of {' and '.join(probed)} are beyond them" if probed else ""
    about = f"columns: thinking tokens{both}{sums}{beyond}. No limit: accuracy @ thinking tokens"
    lines = [f"{names[model]}/{label_of(strategy)}" for model, strategy in arms]
    return [*parts_of(lines, columns, width, "accuracy, %"), about]


def _thinking(budget: str) -> float:
    thinking = Budget.parse(budget).thinking
    return float("inf") if thinking is None else thinking


def _percent(row: Row | None) -> str:
    return "" if row is None or row.accuracy is None else f"{100 * row.accuracy:.1f}"


def _free(row: Row | None) -> str:
    if row is None or row.accuracy is None or row.mean_thinking_tokens is None:
        return ""
    return f"{100 * row.accuracy:.1f} @ {row.mean_thinking_tokens:.0f}"
