"""The columns of results: one list for the terminal's table, the page, LaTeX, a model's card, CSV and JSON.

for column in columns_of(rows):
    print(column.title, column.help, [column.text(row) for row in rows])

To add a column, enter it in `COLUMNS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from elastic_reasoning.analysis.metrics import Row

NOTHING = "–"
ALWAYS = 100
"""The importance of a column that no terminal is too narrow for."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the results."""

    name: str
    """As CSV and JSON call it; a field of `Row`, if it has no `compute`."""
    title: str
    """As tables call it."""
    help: str
    """What it is, in a few words."""
    form: str
    """How a number is written, as for `str.format`."""
    brief: bool = True
    """Whether the terminal, LaTeX and a card show it too; the page shows all."""
    importance: int = 0
    """Where the terminal is too narrow for all columns, the least important one goes first."""
    compute: Callable[[Row], float | None] | None = None
    """The number, for what is no field of `Row`; of its fields, or of its `samples`."""
    se: str = ""
    """The field of `Row` that holds the standard error, which is then shown beside the number."""

    def value(self, row: Row) -> float | None:
        """The number of a row, by which the page sorts; `None` where it is not known."""
        return cast("float | None", getattr(row, self.name)) if self.compute is None else self.compute(row)

    def text(self, row: Row) -> str:
        """What is shown of a row."""
        return with_error(self.value(row), getattr(row, self.se) if self.se else None, self.form)


def with_error(value: float | None, se: float | None, form: str) -> str:
    """A number as that form writes it, with its standard error where that is known."""
    if value is None:
        return NOTHING
    if form.endswith("%}"):
        return percent(value, se)
    return form.format(value) + ("" if se is None else f" ± {form.format(se)}")


def percent(share: float | None, se: float | None) -> str:
    """A share with its standard error, where that is known."""
    if share is None:
        return NOTHING
    return f"{share:.1%}" if se is None else f"{100 * share:.1f} ± {100 * se:.1f}%"


ACCURACY = Column(
    "accuracy",
    "accuracy",
    "correct samples ± standard error, clustered by problem",
    "{:.1%}",
    importance=ALWAYS,
    se="accuracy_se",
)
_TOKENS, _COUNT, _SHARE = "{:.1f}", "{:d}", "{:.1%}"
COLUMNS = (
    Column("mean_thinking_tokens", "thinking", "sampled thinking tokens, mean", _TOKENS, importance=30),
    Column(
        "void_rate",
        "t void",
        "the prompt closes thinking: the thinking budget does nothing",
        _SHARE,
        importance=ALWAYS,
    ),
    Column("median_thinking_tokens", "median", "sampled thinking tokens, median", "{:.0f}", brief=False),
    Column("mean_solution_tokens", "solution", "sampled solution tokens, mean", _TOKENS, importance=7),
    Column("mean_probe_tokens", "probes", "tokens sampled in probes and taken back, mean", _TOKENS, importance=29),
    Column(
        "mean_branch_tokens", "others", "tokens sampled in branches that were not chosen, mean", _TOKENS, importance=28
    ),
    Column("mean_total_tokens", "total", "all sampled tokens, mean", _TOKENS, importance=2),
    Column(
        "p95_total_tokens", "p95", "all sampled tokens: 95 of 100 samples have at most these", "{:.0f}", importance=1
    ),
    Column(
        "ock_score",
        "OckScore",
        "accuracy in % less 10 log10(total / 10,000 + 1)",
        "{:.2f}",
        brief=False,
        se="ock_score_se",
    ),
    Column("e3", "E³", "accuracy in %, squared, by total", "{:.2f}", brief=False, se="e3_se"),
    Column("budget_hit_rate", "spent", "thinking was ended by its budget", _SHARE, brief=False),
    Column("forced_rate", "forced", "the closing delimiter was forced", _SHARE, importance=6),
    Column("cut_rate", "cut", "the solution was cut by its budget", _SHARE, importance=10),
    Column("no_answer_rate", "no answer", "no answer was found", _SHARE, importance=11),
    Column("unboxed_rate", "unboxed", "a box was asked for, and there is none", _SHARE, importance=5),
    Column("escape_rate", "escaped", "thinking was opened again in the solution", _SHARE, importance=3),
    Column("closed_again_rate", "closed again", "thinking was closed again in the solution", _SHARE, importance=4),
    Column("tool_cut_rate", "tool cut", "the tokens ran out within a tool call", _SHARE, importance=ALWAYS),
    Column("length_deviation", "off asked", "L1: mean distance from the length asked for, of it", _SHARE, importance=9),
    Column("violation_rate", "over asked", "L1: longer than the length asked for", _SHARE, importance=8),
    Column("num_time_limits", "time limit", "grading ran into its time limit; wrong", _COUNT, brief=False),
    Column("num_memory_limits", "memory limit", "grading ran into its memory limit; wrong", _COUNT, brief=False),
    Column("num_assumed", "assumed", "right only if something is assumed, as a unit left out", _COUNT, brief=False),
    Column("num_rounded", "rounded", "of these, right by rounding to the reference", _COUNT, brief=False),
    Column(
        "num_several_outputs", "several outputs", "programs of which a right one may be rejected", _COUNT, brief=False
    ),
    Column("accuracy_one_output", "one output", "accuracy without several outputs", _SHARE, brief=False),
    Column("num_samples", "samples", "graded samples", _COUNT, brief=False),
    Column("num_errors", "errors", "requests without a completion, counted apart", _COUNT, importance=ALWAYS),
)


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Accuracy, and the columns that have anything to say of these rows: one of zeros alone is left out."""
    columns = [*_over_tallies(rows), *_over_samples(rows), *COLUMNS]
    return [ACCURACY, *(column for column in columns if any(column.value(row) for row in rows))]


def _over_samples(rows: Sequence[Row]) -> list[Column]:
    """pass@k for the largest k, and the majority, where problems have several samples."""
    k = max((k for row in rows for k in row.pass_at), default=1)
    if k < 2:
        return []
    some = f"one of {k} samples of a problem is right, mean over problems"
    most = "the answer with the most votes among all samples of a problem is right, mean over problems"
    return [
        Column(f"pass@{k}", f"pass@{k}", some, _SHARE, importance=21, compute=lambda row: row.pass_at.get(k)),
        Column(
            f"maj@{k}",
            f"maj@{k}",
            most,
            _SHARE,
            importance=20,
            compute=lambda row: row.majority if k in row.pass_at else None,
        ),
    ]


def _over_tallies(rows: Sequence[Row]) -> list[Column]:
    """The share of each thing that was counted beside the verdict."""
    names = dict.fromkeys(name for row in rows for name in row.tallies)
    return [
        Column(name, name, f"{name}, by the grader's count", _SHARE, importance=22, compute=_tally_of(name))
        for name in names
    ]


def _tally_of(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.tallies.get(name)


def numbers_of(row: Row) -> dict[str, Any]:
    """A row by names, for other programs: every field, and the columns that are computed of them."""
    stated = {field.name: getattr(row, field.name) for field in fields(row) if field.name != "samples"}
    return {**stated, **{column.name: column.value(row) for column in COLUMNS if column.compute}}
