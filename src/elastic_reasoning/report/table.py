"""Rows of results as a table in the terminal, and as JSON.

rich.print(results_table(summarise(records)))
print(rows_to_json(summarise(records)))
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from rich import box
from rich.markup import escape
from rich.table import Table

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.report.columns import BOUNDLESS, fits, lines_of, parts_of

NOTHING = "–"
WIDEST = 24
"""Characters of a model's name on one line."""
SHED = (
    *("p95", "total", "escaped", "closed again", "unboxed", "forced", "solution", "over asked", "off asked", "cut"),
    "no answer",
)
"""Columns that go first where the terminal is too narrow for all; maj, pass and thinking go after them."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        title: short name.
        help: what it is, in a few words.
        value: what it is sorted by.
        text: what is shown.
        brief: whether the terminal shows it too.
    """

    title: str
    help: str
    value: Callable[[Row], float | None]
    text: Callable[[Row], str]
    brief: bool = True


COUNTED = (
    ("num_unboxed", "have no box: their answers, if any, are taken from their words"),
    ("num_time_limits", "ran into the time limit of grading and count as wrong"),
    ("num_memory_limits", "ran into the memory limit of grading and count as wrong"),
    ("num_assumed", "are right only if something is assumed, as a unit left out; each record names its rule"),
    ("num_rounded", "are right only by rounding to the reference"),
    ("num_several_outputs", "are programs for problems that accept several outputs: a right one may be rejected"),
)
"""Counts of rows, and what they say of so many samples."""


def _column(title: str, help: str, value: Callable[[Row], float | None], form: str, brief: bool = True) -> Column:
    def text(row: Row) -> str:
        number = value(row)
        return NOTHING if number is None else form.format(number)

    return Column(title, help, value, text, brief)


def percent(share: float | None, se: float | None) -> str:
    """A share with its standard error, where that is known."""
    if share is None:
        return NOTHING
    return f"{share:.1%}" if se is None else f"{100 * share:.1f} ± {100 * se:.1f}%"


ACCURACY = Column(
    "accuracy",
    "correct samples ± standard error, clustered by problem",
    lambda r: r.accuracy,
    lambda r: percent(r.accuracy, r.accuracy_se),
)
COLUMNS = (
    _column("thinking", "sampled thinking tokens, mean", lambda r: r.mean_thinking_tokens, "{:.1f}"),
    _column("t void", "the prompt closes thinking: the thinking budget has no effect", lambda r: r.void_rate, "{:.1%}"),
    _column("median", "sampled thinking tokens, median", lambda r: r.median_thinking_tokens, "{:.0f}", brief=False),
    _column("solution", "sampled solution tokens, mean", lambda r: r.mean_solution_tokens, "{:.1f}"),
    _column("total", "all sampled tokens, mean", lambda r: r.mean_total_tokens, "{:.1f}"),
    _column("p95", "all sampled tokens: 95 of 100 samples have at most these", lambda r: r.p95_total_tokens, "{:.0f}"),
    _column("spent", "thinking was ended by its budget", lambda r: r.budget_hit_rate, "{:.1%}", brief=False),
    _column("forced", "the closing delimiter was forced", lambda r: r.forced_rate, "{:.1%}"),
    _column("cut", "the solution was cut by its budget", lambda r: r.cut_rate, "{:.1%}"),
    _column("no answer", "no answer was found", lambda r: r.no_answer_rate, "{:.1%}"),
    _column("unboxed", "a box was asked for, and there is none", lambda r: r.unboxed_rate, "{:.1%}"),
    _column("escaped", "thinking was opened again in the solution", lambda r: r.escape_rate, "{:.1%}"),
    _column("closed again", "thinking was closed again in the solution", lambda r: r.closed_again_rate, "{:.1%}"),
    _column("tool cut", "the tokens ran out within a tool call", lambda r: r.tool_cut_rate, "{:.1%}"),
    _column("off asked", "L1: mean distance from the length asked for, of it", lambda r: r.length_deviation, "{:.1%}"),
    _column("over asked", "L1: longer than the length asked for", lambda r: r.violation_rate, "{:.1%}"),
    _column("time limit", "grading ran into its time limit; wrong", lambda r: r.num_time_limits, "{:d}", brief=False),
    _column(
        "memory limit", "grading ran into its memory limit; wrong", lambda r: r.num_memory_limits, "{:d}", brief=False
    ),
    _column(
        "assumed", "right only if something is assumed, as a unit left out", lambda r: r.num_assumed, "{:d}", False
    ),
    _column("rounded", "of these, right by rounding to the reference", lambda r: r.num_rounded, "{:d}", brief=False),
    _column(
        "several outputs",
        "programs of which a right one may be rejected",
        lambda r: r.num_several_outputs,
        "{:d}",
        False,
    ),
    _column("one output", "accuracy without several outputs", lambda r: r.accuracy_one_output, "{:.1%}", brief=False),
    _column("samples", "graded samples", lambda r: r.num_samples, "{:d}", brief=False),
    _column("errors", "requests without a completion, counted apart", lambda r: r.num_errors, "{:d}"),
)


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Accuracy, and the columns that have anything to say of these rows: one of zeros alone is left out."""
    columns = [*_over_samples(rows), *COLUMNS]
    return [ACCURACY, *(column for column in columns if any(column.value(row) for row in rows))]


def _over_samples(rows: Sequence[Row]) -> list[Column]:
    """pass@k for the largest k, and the majority, where problems have several samples."""
    k = max((k for row in rows for k in row.pass_at), default=1)
    if k < 2:
        return []
    some = "one of {} samples of a problem is right, mean over problems"
    most = "the answer with the most votes among all samples of a problem is right, mean over problems"
    return [
        _column(f"pass@{k}", some.format(k), lambda r: r.pass_at.get(k), "{:.1%}"),
        _column(f"maj@{k}", most, lambda r: r.majority if k in r.pass_at else None, "{:.1%}"),
    ]


def results_table(rows: Sequence[Row], title: str = "", width: int = 100) -> Table:
    """A rich table of that width in characters, with a section for each model and strategy.

    Columns stand closer, and some are left out, until the table fits.
    """
    columns = [column for column in columns_of(rows) if column.brief]
    over_samples = [column.title for column in columns if "@" in column.title]
    table = _table(rows, columns, title)
    for name in ("", *SHED, *over_samples[::-1], "thinking"):
        if fits(table, width):
            return table
        columns = [column for column in columns if column.title != name]
        table = _table(rows, columns, title, gap=0)
    return table if fits(table, width) else _narrow(rows, columns, title, width)


def _narrow(rows: Sequence[Row], columns: Sequence[Column], title: str, width: int) -> Table:
    """The table with each setting in one cell, broken behind its slashes."""
    names = [lines_of(str(Setting(row.model, row.strategy, row.budget)), max(12, width // 2)) for row in rows]
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
        names = now if now != before else ("", "")
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
    return json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False)
