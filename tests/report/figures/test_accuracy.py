from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.evaluation.metrics import Row, summarise
from elastic_reasoning.report.figures.accuracy import accuracy_figure
from elastic_reasoning.report.figures.look import save_figure
from elastic_reasoning.report.published import published
from make_records import make_records

ROWS = summarise(make_records(num_problems=20, num_samples=1))


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
@pytest.mark.parametrize("over", ["total", "used", "thinking"])
def test_any_rows_can_be_drawn(rows: list[Row], over: str) -> None:
    accuracy_figure(rows, trained_at="inf+20", over=over).draw_without_rendering()  # type: ignore[arg-type]


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


def test_what_papers_print_is_named_and_is_within_the_axes() -> None:
    rows = [replace(ROWS[0], accuracy=0.2, mean_total_tokens=2000.0, budget="1024+1024")]
    (axes,) = accuracy_figure(rows, over="used", others=published("aime24")).axes
    names = [text.get_text() for text in axes.texts]
    for name in ("E1-Math-1.5B", "L1-Max", "S1, read off", "mini, separate budgets"):
        assert name in names
    assert axes.get_xlim()[1] > 13803  # the longest thinking that is published
    heights = [text.get_position()[1] for text in axes.texts]
    assert min(heights) >= axes.get_ylim()[0]
    assert max(heights) <= axes.get_ylim()[1]


def test_labels_of_large_budgets_are_short() -> None:
    rows = [replace(ROWS[0], budget=f"{t}+1024") for t in (512, 1024, 2048, 3072)]
    (axes,) = accuracy_figure(rows, trained_at="1024+1024").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "1.5K\n512+1K",
        "2K\n1K+1K",
        "3K\n2K+1K",
        "4K\n3K+1K",
    ]
    assert "trained at 1K+1K" in [text.get_text() for text in axes.texts]
