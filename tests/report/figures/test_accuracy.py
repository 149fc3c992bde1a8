from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.analysis.metrics import Row, summarise
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


CASES = {
    "as swept": (ROWS, "24+20"),
    "trained with more": (ROWS, "1024+1024"),
    "trained with less": (ROWS, "1+1"),
    "trained without thinking": (ROWS, "0+20"),
    "at the left end": (ROWS, "8+20"),
    "at the right end": (ROWS, "160+20"),
    "one budget": ([row for row in ROWS if row.budget == "24+20"], "64+20"),
    "one point": (ROWS[:1], "4096+1024"),
    "one point without thinking": ([replace(ROWS[0], budget="0+20")], "24+20"),
    "nothing right": ([replace(row, accuracy=0.0, accuracy_se=0.0) for row in ROWS], "512+20"),
    "all right": ([replace(row, accuracy=1.0, accuracy_se=0.0) for row in ROWS], "24+20"),
    "no budgets": ([row for row in ROWS if row.strategy == "unconstrained"], "24+20"),
    "nothing graded": ([replace(ROWS[0], accuracy=None)], "24+20"),
    "a long name": ([replace(row, model=f"folder/{row.model * 30}") for row in ROWS], "8192+20"),
    "with t = 0": ([replace(ROWS[0], budget="0+20"), *ROWS], "100000+20"),
}


@pytest.mark.parametrize(("rows", "trained_at"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("over", ["total", "used", "thinking"])
def test_title_names_and_marks_are_within_the_figure(rows: list[Row], trained_at: str, over: str) -> None:
    figure = accuracy_figure(rows, "Accuracy under separate budgets", trained_at, over)  # type: ignore[arg-type]
    figure.draw_without_rendering()
    (axes,) = figure.axes
    edges = figure.bbox
    title = axes.get_title(loc="left")
    texts = [text for text in [*axes.texts, axes.xaxis.label, axes.yaxis.label] if text.get_text()]
    texts += [text for text in axes.get_children() if getattr(text, "get_text", str)() == title]
    for text in texts:
        box = text.get_window_extent()
        assert edges.x0 <= box.x0 < box.x1 <= edges.x1, text
        assert edges.y0 <= box.y0 < box.y1 <= edges.y1, text
    assert axes.get_window_extent().width > 0.45 * edges.width
    drawn = {text.get_text() for text in texts}
    assert title in drawn
    marks = [text for text in drawn if "trained at" in text]
    assert len(marks) == (over != "used")
    named = [text for text in drawn if "/" in text]
    assert len(named) >= len({row.model for row in rows if row.accuracy is not None})


def test_a_mark_beyond_the_axis_says_on_which_side() -> None:
    def mark(trained_at: str) -> str:
        (axes,) = accuracy_figure(ROWS, trained_at=trained_at).axes
        return next(text.get_text() for text in axes.texts if "trained at" in text.get_text())

    assert mark("1024+1024") == "trained at 1K+1K →"
    assert mark("1+1") == "← trained at 1+1"
    assert mark("24+20") == "trained at 24+20"


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
    for name in ("E1-Math-1.5B", "L1-Max", "S1, read off", "mini/elastic"):
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
