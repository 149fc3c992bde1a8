"""Accuracies at a glance: a line for each model and strategy, a column for each budget.

rich.print(accuracy_grid(summarise(records)))
"""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from elastic_reasoning.budget import Budget
from elastic_reasoning.evaluation.metrics import Row
from elastic_reasoning.report.names import short_names


def accuracy_grid(rows: Sequence[Row]) -> Table:
    """Accuracy in percent; the last column is thinking without limit, with the tokens it took.

    Made for settings whose budgets share one s, as in a sweep over t. Folders of models are shown by their last part.
    """
    columns = sorted({row.budget for row in rows if row.strategy != "unconstrained"}, key=_thinking)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)  # to fit into 80 columns
    table.add_column("accuracy, %", no_wrap=True)
    for budget in columns:
        table.add_column(budget.partition("+")[0], justify="right", no_wrap=True)
    table.add_column("no limit", justify="right", no_wrap=True)
    names = short_names(row.model for row in rows)
    by_setting = {(row.model, row.strategy, row.budget): row for row in rows}
    free = {row.model: row for row in rows if row.strategy == "unconstrained"}
    for model, strategy in dict.fromkeys((r.model, r.strategy) for r in rows if r.strategy != "unconstrained"):
        cells = [_percent(by_setting.get((model, strategy, budget))) for budget in columns]
        table.add_row(f"{names[model]} {strategy}", *cells, _free(free.get(model)))
    solution = {budget.partition("+")[2] for budget in columns}
    both = f"; each with {solution.pop()} for the solution" if len(solution) == 1 else ""
    table.caption = f"columns: thinking tokens{both}; s1 and vanilla get the sum. No limit: accuracy @ thinking tokens"
    return table


def _thinking(budget: str) -> float:
    thinking = Budget.parse(budget).thinking
    return float("inf") if thinking is None else thinking


def _percent(row: Row | None) -> str:
    return "" if row is None or row.accuracy is None else f"{100 * row.accuracy:.1f}"


def _free(row: Row | None) -> str:
    if row is None or row.accuracy is None or row.mean_thinking_tokens is None:
        return ""
    return f"{100 * row.accuracy:.1f} @ {row.mean_thinking_tokens:.0f}"
