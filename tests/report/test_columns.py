"""The one list that the table, the page, LaTeX, CSV and JSON take their columns from."""

import csv
import io
import json
from dataclasses import fields

import pytest
from rich.console import Console

from elastic_reasoning.analysis.metrics import Row, summarise
from elastic_reasoning.report import columns
from elastic_reasoning.report.columns import ACCURACY, COLUMNS, Column, columns_of, numbers_of, percent
from elastic_reasoning.report.export import rows_to_csv, rows_to_latex
from elastic_reasoning.report.table import results_table, rows_to_json
from make_records import make_records

ROWS = summarise(make_records(num_problems=6, num_samples=2, budgets=("8+20", "24+20")))
COST = Column(
    "tokens_per_right_answer",
    "per right",
    "sampled tokens for each right answer",
    "{:.0f}",
    importance=50,
    compute=lambda row: row.mean_total_tokens / row.accuracy if row.mean_total_tokens and row.accuracy else None,
)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_column_is_a_field_of_a_row_or_is_computed(column: Column) -> None:
    assert (column.name in {field.name for field in fields(Row)}) is (column.compute is None)
    assert column.help
    assert column.help[0].islower() or column.help.startswith("L1")


def test_names_and_titles_are_given_once() -> None:
    for kind in ("name", "title"):
        found = [getattr(column, kind) for column in (ACCURACY, *COLUMNS)]
        assert len(found) == len(set(found))


def test_one_more_entry_is_a_column_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "COLUMNS", (*COLUMNS, COST))
    cost = COST.value(ROWS[0])
    assert cost is not None
    assert COST in columns_of(ROWS)
    console = Console(file=io.StringIO(), width=200)
    console.print(results_table(ROWS, width=200))
    assert "right" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "per right" in rows_to_latex(ROWS)
    assert json.loads(rows_to_json(ROWS))[0]["tokens_per_right_answer"] == pytest.approx(cost)
    [first, *_] = csv.DictReader(io.StringIO(rows_to_csv(ROWS)))
    assert float(first["tokens_per_right_answer"]) == pytest.approx(cost)


def test_a_column_may_be_computed_of_the_records() -> None:
    column = Column("most", "most", "", "{:d}", compute=lambda row: int(row.samples["num_sampled_tokens"].max()))
    for row in ROWS:
        assert row.mean_total_tokens is not None
        assert column.value(row) >= row.mean_total_tokens  # type: ignore[operator]
        assert len(row.samples) == row.num_samples
        assert "samples" not in numbers_of(row)


def test_a_share_has_its_standard_error_beside_it() -> None:
    row = ROWS[0]
    assert ACCURACY.text(row) == percent(row.accuracy, row.accuracy_se)
    assert percent(None, None) == "–"
    assert percent(0.5, None) == "50.0%"
    assert "accuracy_se" in numbers_of(row)
