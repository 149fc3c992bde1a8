"""Rows of results for other programs: CSV with every number, and a LaTeX table for a paper.

(folder / "results.csv").write_text(rows_to_csv(rows), encoding="utf-8")
(folder / "results.tex").write_text(rows_to_latex(rows), encoding="utf-8")     # \\input it; needs booktabs
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.core.printable import printable
from elastic_reasoning.report.columns import NOTHING, Column, columns_of, numbers_of

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet takes for the beginning of a formula, wide letters among them."""
ESCAPES = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "–": "--",
    **{letter: f"\\{letter}" for letter in "_%&#$" + "{}"},
}


def rows_to_csv(rows: Sequence[Row]) -> str:
    """One line for each row and every number of it; rates are in 0 to 1, what is not known is empty."""
    return to_csv([_flat(row) for row in rows])


def to_csv(lines: Iterable[Mapping[str, Any]]) -> str:
    """Lines of names and values under a heading that has every name.

    A text that a spreadsheet would take for a formula stands behind an apostrophe, which it does not show
    (OWASP, "CSV Injection").
    """
    flat = [{name: _no_formula(value) for name, value in line.items()} for line in lines]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    """A row without tables in it: pass_at becomes pass@1, pass@2 and so on, and a tally goes by its name.

    Each has its standard error beside it.
    """
    flat: dict[str, Any] = {}
    for name, value in numbers_of(row).items():
        if name == "pass_at":
            for k, share in value.items():
                flat |= {f"pass@{k}": share, f"pass@{k}_se": row.pass_at_se[k]}
        elif name == "tallies":
            for counted, share in value.items():
                flat |= {counted: share, f"{counted}_se": row.tallies_se[counted]}
        elif name not in ("pass_at_se", "tallies_se"):
            flat[name] = value
    return flat


def _no_formula(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shown = printable(value).replace("\n", " ").replace("\t", " ")
    return f"'{shown}" if FORMULA.match(shown) else shown


def rows_to_latex(rows: Sequence[Row]) -> str:
    r"""A `tabular` with the columns of the terminal's table, rates in percent; `\usepackage{booktabs}` is needed.

    Accuracy is followed by its standard error, clustered by problem.
    """
    columns = [column for column in columns_of(rows) if column.brief]
    lines = [
        "% accuracy: ± one standard error, clustered by problem; rates in percent. Needs \\usepackage{booktabs}.",
        f"\\begin{{tabular}}{{llr{'r' * len(columns)}}}",
        "\\toprule",
        _line(["model", "strategy", "budget", *(_heading(column, rows) for column in columns)]),
    ]
    before: tuple[str, str] | None = None
    for row in rows:
        now = (row.model, row.strategy)
        if now != before:
            lines.append("\\midrule")
        names = now if now != before else ("", "")
        lines.append(_line([*names, row.budget, *(column.text(row).removesuffix("%") for column in columns)]))
        before = now
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _heading(column: Column, rows: Sequence[Row]) -> str:
    """The title, with the unit that the cells do not repeat."""
    texts = [column.text(row) for row in rows]
    return column.title + (" (%)" if any(text.endswith("%") for text in texts if text != NOTHING) else "")


def _line(cells: Sequence[str]) -> str:
    texts = (printable(cell).replace("\n", " ") for cell in cells)
    return " & ".join("".join(ESCAPES.get(letter, letter) for letter in text) for text in texts) + r" \\"
