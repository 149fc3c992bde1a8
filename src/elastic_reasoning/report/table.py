"""Rows of results as a table in the terminal, and as JSON.

rich.print(results_table(summarise(records)))
print(rows_to_json(summarise(records)))
"""

import json
from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import label_of
from elastic_reasoning.report.columns import ALWAYS, Column, columns_of, numbers_of
from elastic_reasoning.report.layout import BOUNDLESS, fits, lines_of, parts_of

WIDEST = 24
"""Characters of a model's name on one line."""
COUNTED = (
    ("num_unboxed", "have no box: their answers, if any, are taken from their words"),
    ("num_time_limits", "ran into the time limit of grading and count as wrong"),
    ("num_memory_limits", "ran into the memory limit of grading and count as wrong"),
    ("num_assumed", "are right only if something is assumed, as a unit left out; each record names its rule"),
    ("num_rounded", "are right only by rounding to the reference"),
    ("num_several_outputs", "are programs for problems that accept several outputs: a right one may be rejected"),
)
"""Counts of rows, and what they say of so many samples."""


def results_table(rows: Sequence[Row], title: str = "", width: int = 100) -> Table:
    """A rich table of that width in characters, with a section for each model and strategy.

    Columns stand closer, and some are left out, until the table fits.
    """
    columns = [column for column in columns_of(rows) if column.brief]
    table = _table(rows, columns, title)
    less_important = sorted(columns, key=lambda column: column.importance)
    for left_out in (None, *(column for column in less_important if column.importance < ALWAYS)):
        if fits(table, width):
            return table
        columns = [column for column in columns if column is not left_out]
        table = _table(rows, columns, title, gap=0)
    return table if fits(table, width) else _narrow(rows, columns, title, width)


def _narrow(rows: Sequence[Row], columns: Sequence[Column], title: str, width: int) -> Table:
    """The table with each setting in one cell, broken behind its slashes."""
    names = [lines_of(str(Setting.of(row.model, row.strategy, row.budget)), max(12, width // 2)) for row in rows]
    cells = {column.title: [column.text(row) for row in rows] for column in columns}
    (table, *_) = parts_of(names, cells, BOUNDLESS, "setting")
    table.title, table.caption = title or None, _sizes(rows)
    table.title_justify = table.caption_justify = "left"
    return table


def _table(rows: Sequence[Row], columns: Sequence[Column], title: str, gap: int = 1) -> Table:
    table = Table(title=title or None, title_justify="left", caption=_sizes(rows), caption_justify="left")
    table.box, table.padding, table.header_style = box.SIMPLE_HEAD, (0, gap, 0, 0), "bold"
    table.show_edge = table.pad_edge = False
    table.add_column("model", overflow="fold", max_width=WIDEST, vertical="bottom")
    table.add_column("strategy", no_wrap=True, vertical="bottom")
    table.add_column("budget", justify="right", no_wrap=True, vertical="bottom")
    for column in columns:
        table.add_column(column.title.replace(" ", "\n"), justify="right", no_wrap=True, vertical="bottom")
    before: tuple[str, str] | None = None
    for row in rows:
        now = (row.model, row.strategy)
        if before is not None and now != before:
            table.add_section()
        names = (row.model, label_of(row.strategy)) if now != before else ("", "")
        table.add_row(*map(escape, names), row.budget, *(column.text(row) for column in columns))
        before = now
    return table


def _sizes(rows: Sequence[Row]) -> str:
    """How many samples the rows have: one number, or the range of them."""
    samples, problems = ([getattr(row, name) for row in rows] for name in ("num_samples", "num_problems"))
    ranges = (
        str(max(found, default=0)) if len(set(found)) < 2 else f"{min(found)} to {max(found)}"
        for found in (samples, problems)
    )
    sizes = "{} samples of {} problems in each row; ± is one standard error, clustered by problem".format(*ranges)
    return "\n".join((sizes, *counts(rows)))


def counts(rows: Sequence[Row]) -> list[str]:
    """What an accuracy rests on beside the model, a line for each count that is not zero, over all rows."""
    total = sum(row.num_samples for row in rows)
    found = []
    for name, says in COUNTED:
        number = sum(getattr(row, name) for row in rows)
        if number:
            found.append(f"{number:,} of {total:,} {says}")
    changes = [
        100 * (row.accuracy_one_output - row.accuracy)
        for row in rows
        if row.accuracy_one_output is not None and row.accuracy is not None
    ]
    if changes:
        found.append(f"without those the accuracies change by {min(changes):+.1f} to {max(changes):+.1f} points")
    if any(row.void_rate for row in rows):
        found.append("t HAS NO EFFECT where it is void: the prompt closes thinking")
    return found


def rows_to_json(rows: Sequence[Row]) -> str:
    """A JSON array with one object for each row; rates are in 0 to 1, what is not known is null."""
    return json.dumps([numbers_of(row) for row in rows], indent=2, ensure_ascii=False)
