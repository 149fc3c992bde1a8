from dataclasses import replace
from math import inf
from pathlib import Path

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.report.figures.heat import grids, heat_figure
from elastic_reasoning.report.figures.look import save_figure
from make_records import make_records

ROWS = summarise(make_records(num_problems=4, num_samples=2, budgets=("8+20", "24+8", "24+20")))


def test_cells_are_budgets_that_were_run_and_no_others() -> None:
    first, second = grids(ROWS)
    assert (first.model, second.model) == ("mini", "mini-e1")
    assert (first.thinking, first.solution) == ((8, 24), (8, 20))
    assert first.cells.keys() == {(8, 20), (24, 8), (24, 20)}  # of separate budgeting alone
    assert all(row.strategy == "elastic" for row in first.cells.values())


def test_no_thinking_is_a_column_and_no_limit_the_last_one() -> None:
    rows = [
        *(row for row in ROWS if row.strategy == "elastic" and row.model == "mini"),
        replace(ROWS[0], strategy="nothinking", budget="8+20"),  # heeds s alone
        replace(ROWS[0], budget="inf+20"),
    ]
    (grid,) = grids(rows)
    assert grid.thinking == (0, 8, 24, inf)
    assert grid.cells[0, 20].strategy == "nothinking"
    (axes,) = heat_figure([grid]).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "8", "24", "∞"]


def test_one_solution_budget_makes_no_grid() -> None:
    assert grids([row for row in ROWS if row.budget.endswith("+20")]) == []
    assert grids([replace(row, accuracy=None) for row in ROWS]) == []


def test_any_number_of_models_can_be_drawn_and_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [replace(row, model=f"$model_{n}$") for n in range(5) for row in ROWS if row.model == "mini"]
    first, second = (save_figure(heat_figure(grids(rows), title="$x"), tmp_path / name) for name in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
