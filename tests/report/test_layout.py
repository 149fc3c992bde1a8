import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.report.grid import accuracy_grid
from elastic_reasoning.report.layout import lines_of, parts_of
from elastic_reasoning.report.table import results_table
from make_records import make_records

ROWS = summarise(make_records(num_problems=6))
WIDTHS = [40, 60, 80, 120]


def printed(parts: list[Table | str], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(*parts, sep="\n")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    return text


@given(st.lists(st.text("abc-", min_size=1, max_size=9), min_size=1, max_size=6), st.integers(4, 40))
def test_a_name_is_broken_behind_slashes_alone(parts: list[str], width: int) -> None:
    lines = lines_of("/".join(parts), width).split("\n")
    assert "".join(lines) == "/".join(parts)
    assert all(line.endswith("/") for line in lines[:-1])
    for line in lines:
        assert len(line) <= width + 1 or "/" not in line[:-1]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_column_is_shown_whole_in_one_of_the_tables(width: int) -> None:
    columns = {f"column\n{n}": [f"{n}.{row}" for row in range(2)] for n in range(12)}
    tables = parts_of(["mini/elastic/24+20", "Qwen3-0.6B/unconstrained/inf+inf"], columns, width, "setting")
    text = printed([*tables], width)
    assert len(tables) == 1 or width < 120
    for cells in columns.values():
        for cell in cells:
            assert len(re.findall(rf"(?<!\S){re.escape(cell)}(?!\S)", text)) == 1
    assert text.count("mini/elastic/") == len(tables)


@pytest.mark.parametrize("width", WIDTHS)
def test_accuracies_at_a_glance_fit(width: int) -> None:
    text = printed(accuracy_grid(ROWS, width), width)
    for row in ROWS:
        assert row.accuracy is not None
        assert f"{100 * row.accuracy:.1f}" in text
    assert re.search(r"mini-e1/\s*vanilla", text)


@pytest.mark.parametrize("width", WIDTHS)
def test_results_fit_with_their_accuracies(width: int) -> None:
    text = printed([results_table(ROWS, width=width)], width)
    for row in ROWS:
        assert f"{100 * (row.accuracy or 0):.1f} ± {100 * (row.accuracy_se or 0):.1f}%" in text
    assert text.count("unconstrained") == 2
