import csv
import io
import re
from dataclasses import replace

import pytest

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.report.export import rows_to_csv, rows_to_latex
from make_records import make_records

RECORDS = make_records(num_problems=6, num_samples=2, budgets=("8+20", "24+20"))
ROWS = summarise(RECORDS)


def test_csv_has_every_number_of_every_row() -> None:
    lines = list(csv.DictReader(io.StringIO(rows_to_csv(ROWS))))
    assert len(lines) == len(ROWS)
    for line, row in zip(lines, ROWS, strict=True):
        assert (line["model"], line["strategy"], line["budget"]) == (row.model, row.strategy, row.budget)
        assert float(line["accuracy"]) == row.accuracy
        assert float(line["pass@2"]) == row.pass_at[2]
        assert float(line["pass@2_se"]) == row.pass_at_se[2]
        assert line["length_deviation"] == ""  # of L1 alone


def test_csv_of_rows_with_different_numbers_of_samples() -> None:
    some = summarise([record for record in RECORDS if record.model == "mini" or record.sample == 0])
    lines = list(csv.DictReader(io.StringIO(rows_to_csv(some))))
    assert {line["pass@2"] == "" for line in lines if line["model"] == "mini-e1"} == {True}
    assert list(csv.DictReader(io.StringIO(rows_to_csv([])))) == []


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("e1_math & 50%", r"e1\_math \& 50\%"),
        ("#1 $x$ {a}", r"\#1 \$x\$ \{a\}"),
        (r"a\b^c~d", r"a\textbackslash{}b\textasciicircum{}c\textasciitilde{}d"),
        ("a>b|c", r"a\textgreater{}b\textbar{}c"),
    ],
)
def test_latex_shows_any_name_as_it_is(name: str, written: str) -> None:
    table = rows_to_latex([replace(row, model=name) for row in ROWS])
    assert f"\n{written} & elastic & 8+20 & " in table


def test_latex_is_one_table_with_equally_many_cells_in_each_line() -> None:
    lines = rows_to_latex(ROWS).splitlines()
    assert lines[1].startswith(r"\begin{tabular}{llr")
    assert lines[-1] == r"\end{tabular}"
    assert [line for line in lines if line in (r"\toprule", r"\bottomrule")] == [r"\toprule", r"\bottomrule"]
    num_columns = len(re.search(r"\{(l+r+)\}$", lines[1])[1])  # type: ignore[index]
    body = [line for line in lines if line.endswith(r" \\")]
    assert len(body) == 1 + len(ROWS)
    assert {len(re.split(r"(?<!\\)&", line)) for line in body} == {num_columns}
    row = ROWS[0]
    assert row.accuracy is not None
    assert row.accuracy_se is not None
    assert rf"{100 * row.accuracy:.1f} $\pm$ {100 * row.accuracy_se:.1f} &" in body[1]
    assert r"accuracy (\%)" in body[0]
    assert "%" not in "".join(body[1:])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
        ('@SUM("A1")', '\'@SUM("A1")'),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        (" =1", "' =1"),
        ("\t=1", "' =1"),
        ("\n=1", "' =1"),
        ("\x00=1", "\\x00=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
        ("mini\x1b]0;x\x07\r\nb,c", "mini\\x1b]0;x\\x07\\x0d b,c"),
    ],
)
def test_csv_holds_no_formula_and_nothing_that_a_terminal_obeys(name: str, written: str) -> None:
    text = rows_to_csv([replace(row, model=name) for row in ROWS])
    assert {line["model"] for line in csv.DictReader(io.StringIO(text))} == {written}
    assert len(text.splitlines()) == 1 + len(ROWS)


def test_latex_is_one_line_for_each_row_whatever_its_name() -> None:
    table = rows_to_latex([replace(row, model="a\n\x1b]0;b\\input{x}") for row in ROWS])
    assert len(table.splitlines()) == len(rows_to_latex(ROWS).splitlines())
    assert "\x1b" not in table
    assert r"\input{" not in table
