from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.evaluation.metrics import Row, summarise
from elastic_reasoning.report.figures import accuracy_figure, apart, curves, save_figure
from make_records import make_records

ROWS = summarise(make_records(num_problems=20, num_samples=1))


def test_points_stand_at_the_total_budget_and_stars_at_what_was_used() -> None:
    (elastic,) = (c for c in curves(ROWS) if (c.model, c.strategy) == ("mini", "elastic"))
    assert [point.x for point in elastic.line] == [28, 36, 44, 52, 68, 84, 116, 180]
    assert elastic.stars == ()
    (free,) = (c for c in curves(ROWS) if (c.model, c.strategy) == ("mini", "unconstrained"))
    row = next(row for row in ROWS if (row.model, row.strategy) == ("mini", "unconstrained"))
    assert free.line == ()
    assert [(point.x, point.accuracy) for point in free.stars] == [(row.mean_total_tokens, row.accuracy)]


def test_unconstrained_has_no_budget_whatever_its_records_say() -> None:
    (free,) = curves([replace(ROWS[0], strategy="unconstrained")])
    assert free.line == ()
    assert len(free.stars) == 1


def test_models_differ_in_colour() -> None:
    assert {curve.model: curve.colour for curve in curves(ROWS)}.keys() == {"mini", "mini-e1"}
    assert len({curve.colour for curve in curves(ROWS)}) == 2


def test_the_same_rows_give_the_same_bytes_and_no_date(tmp_path: Path) -> None:
    written = [
        save_figure(accuracy_figure(ROWS, title="Accuracy", trained_at="24+20"), tmp_path / name) for name in "ab"
    ]
    for first, second in zip(*written, strict=True):
        assert first.read_bytes() == second.read_bytes()
    svg = written[0][1].read_text()
    assert "<dc:date>" not in svg
    assert written[0][0].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ROWS[:1],
        [replace(ROWS[0], accuracy=None, accuracy_se=None, mean_total_tokens=None)],
        [replace(ROWS[0], accuracy_se=None)],
        [replace(ROWS[0], budget="0+0"), ROWS[1]],
        [row for row in ROWS if row.strategy == "unconstrained"],
        [replace(ROWS[0], strategy="of-my-own", model="x" * 40)],
        [replace(ROWS[0], budget=f"{n}+20") for n in range(1, 60)],
    ],
)
def test_any_rows_can_be_drawn(tmp_path: Path, rows: list[Row]) -> None:
    save_figure(accuracy_figure(rows, trained_at="inf+20"), tmp_path / "figure")


@pytest.mark.parametrize("accuracy", [0.0, 0.05, 0.5, 0.9, 0.94])
def test_the_label_of_a_star_is_drawn_over_no_line(accuracy: float) -> None:
    stars = [replace(row, accuracy=accuracy) for row in ROWS if row.strategy == "unconstrained"]
    line = [replace(ROWS[0], budget=f"{n}+20", accuracy=accuracy + 0.06) for n in (8, 200)]
    (axes,) = accuracy_figure([*stars, *line]).axes
    labels = [text.get_position()[1] for text in axes.texts if text.get_text().endswith(" tokens")]
    assert len(labels) == 2
    for height in labels:
        assert abs(height - (accuracy + 0.06)) >= 0.04
        assert 0 < height < axes.get_ylim()[1]


@pytest.mark.parametrize(
    ("heights", "placed"),
    [
        ([0.1, 0.5], [0.1, 0.5]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([1.0, 1.0, 1.0], [0.8, 0.9, 1.0]),
        ([0.2, 0.95, 1.0], [0.2, 0.9, 1.0]),
        ([], []),
    ],
)
def test_labels_are_moved_apart_but_not_above_the_ceiling(heights: list[float], placed: list[float]) -> None:
    assert apart(heights, gap=0.1, ceiling=1.0) == pytest.approx(placed)
