from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.setting import Setting
from elastic_reasoning.report.figures.lengths import MAX_BINS, MAX_PANELS, counted, lengths, lengths_figure
from elastic_reasoning.report.results import Results
from make_records import make_records


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=50))
def test_every_value_is_in_its_bin_and_widening_is_counting_again(values: list[int]) -> None:
    shape = counted(values)
    assert len(shape.counts) <= MAX_BINS
    for n, count in enumerate(shape.counts):
        assert count == sum(value // shape.width == n for value in values)
    wider = shape.widened(4 * shape.width)
    assert wider.counts == tuple(
        sum(value // wider.width == n for value in values) for n in range(max(values) // wider.width + 1)
    )


def test_lengths_are_those_of_graded_records() -> None:
    records = make_records(num_problems=3, num_samples=2, budgets=("8+20",))
    thinking, solution = lengths(records)[Setting.of("mini", "elastic", "8+20")]
    assert sum(thinking.counts) == sum(solution.counts) == 6
    assert thinking.counts[8] == 6  # every thought was cut at its budget


def test_the_figure_shows_some_budgets_and_what_has_none(benchmark_run: Results) -> None:
    found = lengths(benchmark_run.records)
    figure = lengths_figure(found, title="$")
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert len(titles) == MAX_PANELS
    assert (titles[0], titles[-1]) == ("elastic, 0+1K", "unconstrained")
    figure.draw_without_rendering()


@pytest.mark.parametrize("strategies", [("vanilla",), ("s1", "elastic")])
def test_any_strategies_can_be_drawn(strategies: tuple[str, ...]) -> None:
    figure = lengths_figure(lengths(make_records(num_problems=2, num_samples=1, strategies=strategies)))
    assert figure is not None
    figure.draw_without_rendering()


def test_without_records_there_is_no_figure() -> None:
    assert lengths_figure(lengths([])) is None


def test_long_titles_and_names_are_within_the_figure() -> None:
    records = [replace(record, model=f"{record.model * 30}") for record in make_records(num_problems=4)]
    figure = lengths_figure(lengths(records), "Accuracy under separate budgets, " * 8)
    assert figure
    figure.draw_without_rendering()
    (legend,) = figure.legends
    boxes = [legend.get_window_extent(), *(text.get_window_extent() for text in figure.texts)]
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert all(box is other or not box.overlaps(other) for other in boxes)
    assert not any(box.overlaps(axes.get_tightbbox()) for box in boxes for axes in figure.axes)
