import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.report.columns import columns_of, numbers_of
from elastic_reasoning.report.table import results_table, rows_to_json
from make_records import make_records

RECORDS = make_records(num_problems=10, num_samples=2, budgets=("8+20", "24+20"))
ROWS = summarise(RECORDS)


def printed(rows: list, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(results_table(rows, title="Results"))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_shows_every_setting_in_a_hundred_columns() -> None:
    text = printed(ROWS)
    assert "…" not in text
    for row in ROWS:
        assert row.accuracy is not None
        assert row.accuracy_se is not None
        assert f"{100 * row.accuracy:.1f} ± {100 * row.accuracy_se:.1f}%" in text
    assert text.count("mini-e1") == 4  # once for each strategy, not for each budget
    assert "20 samples of 10 problems in each row" in text


def test_columns_without_anything_to_say_are_left_out() -> None:
    assert "errors" not in printed(ROWS)
    failed = replace(RECORDS[0], sample=9, error="no room", correct=None, answer=None)
    rows = summarise([*RECORDS, failed])
    assert "errors" in printed(rows)
    assert "escaped" not in [column.title for column in columns_of(rows)]


def test_what_an_accuracy_rests_on_is_counted_where_there_is_any() -> None:
    assert "of 400" not in printed(ROWS)
    marks: list[dict[str, object]] = [
        {"reason": "time limit", "correct": False},
        {"reason": "time limit", "correct": False},
        {"reason": "memory limit", "correct": False},
        {"unboxed": True},
        {"rule": "unit left out", "correct": True},
        {"rule": "rounded reference", "correct": True},
        {"rule": "identical", "correct": True},
        {"rule": "one of several outputs", "correct": False},
        {"rule": "one of several outputs", "correct": False},
    ]
    records = [replace(record, **mark) for record, mark in zip(RECORDS, marks, strict=False)]  # type: ignore[arg-type]
    rows = summarise([*records, *RECORDS[len(marks) :]])
    first = rows[0]
    assert (first.num_time_limits, first.num_memory_limits, first.num_unboxed) == (2, 1, 1)
    assert (first.num_assumed, first.num_rounded, first.num_several_outputs) == (2, 1, 2)
    assert first.accuracy_one_output is not None
    assert first.accuracy is not None
    assert first.accuracy_one_output * 18 == pytest.approx(first.accuracy * 20)
    text = printed(rows)
    total = len(RECORDS)
    for line in (
        f"2 of {total} ran into the time limit of grading",
        f"1 of {total} ran into the memory limit",
        f"1 of {total} have no box",
        f"2 of {total} are right only if something is assumed",
        f"1 of {total} are right only by rounding to the reference",
        f"2 of {total} are programs for problems that accept several outputs",
        "without those the accuracies change by",
    ):
        assert line in text
    titles = {column.title for column in columns_of(rows)}
    assert {"time limit", "memory limit", "assumed", "rounded", "several outputs", "one output"} <= titles
    assert not titles & {column.title for column in columns_of(ROWS)} & {"time limit", "rounded", "one output"}


def test_what_is_not_known_is_a_dash() -> None:
    failed = [replace(record, error="no room", correct=None, answer=None) for record in RECORDS[:20]]
    assert "–" in printed(summarise([*failed, *RECORDS[20:]]))
    assert "0 to 20 samples of 0 to 10 problems" in printed(summarise([*failed, *RECORDS[20:]]))


def test_no_rows_are_a_table_without_rows() -> None:
    assert "model" in printed([])
    assert json.loads(rows_to_json([])) == []


def test_rows_as_json_are_the_rows() -> None:
    assert json.loads(rows_to_json(ROWS)) == json.loads(json.dumps([numbers_of(row) for row in ROWS]))


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_narrow_table_leaves_columns_out_and_cuts_none(width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    console.print(results_table(ROWS, width=width))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for word in ("model", "strategy", "budget", "accuracy", "mini-e1", "unconstrained", "inf+inf"):
        assert word in text
    assert ("total" in text) == (width > 80)


def test_a_long_name_of_a_model_goes_on_in_the_next_line_and_is_no_markup() -> None:
    name = "[bold]runs/a-model-with-a-name-that-is-long"
    text = printed([replace(row, model=name) for row in ROWS], width=120)
    assert "[bold]runs/a-model-with-" in text
    assert "a-name-that-is-long" in text
    assert "…" not in text
