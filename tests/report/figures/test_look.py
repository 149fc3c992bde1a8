import pytest

from elastic_reasoning.report.figures.look import apart


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
