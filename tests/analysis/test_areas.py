from math import log

import numpy as np
import pytest

from elastic_reasoning.analysis.areas import area, gaps, mean_height
from make_ladder import make_ladder


def test_a_mean_height_is_by_trapezoids() -> None:
    assert mean_height(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 3.0])) == pytest.approx(2.5 / 3)
    assert mean_height(np.full((2, 4), 0.3), np.array([1.0, 2.0, 5.0, 9.0])) == pytest.approx([0.3, 0.3])


def test_an_area_is_over_the_logarithm_of_finite_budgets() -> None:
    right = np.array([[0, 1, 1, 1], [0, 0, 1, 1]], bool)
    found = area(make_ladder(right, totals=[10, 20, 80, np.inf]))
    assert found is not None
    assert found.value == pytest.approx((0.25 * log(2) + 0.75 * log(4)) / log(8))
    assert found.se == pytest.approx(abs((0.5 * log(2) + log(4)) - (0.5 * log(4))) / log(8) / 2)  # half the difference
    assert area(make_ladder(right[:, :2], totals=[0, 20])) is None
    assert area(make_ladder(right[:, :2], totals=[20, np.inf])) is None


def test_a_gap_is_to_the_best_at_each_budget() -> None:
    one = make_ladder([[0, 1, 1], [0, 1, 0]], totals=[10, 20, 40])
    other = make_ladder([[1, 1, 1], [0, 0, 1]], totals=[10, 20, 40])
    first, second = gaps([one, other])
    assert first is not None
    assert second is not None
    assert first.value == pytest.approx((0.25 * 10 + 0.25 * 20) / 30)  # gaps of 0.5, 0, 0.5
    assert second.value == pytest.approx((0.25 * 10 + 0.25 * 20) / 30)  # gaps of 0, 0.5, 0


def test_a_gap_needs_two_budgets_and_a_problem_in_common() -> None:
    one, other = make_ladder([[0, 1], [1, 1]], totals=[10, 20]), make_ladder([[1, 1], [1, 1]], totals=[10, 40])
    assert gaps([one, other]) == [None, None]
    assert gaps([one]) == [None]
    assert gaps([]) == []
    elsewhere = make_ladder([[1, 1], [1, 1]], totals=[10, 20], problems=[7, 8])
    assert gaps([one, elsewhere]) == [None, None]


def test_errors_are_those_of_many_runs() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        ease = rng.random((50, 1)).repeat(2, axis=0)
        problems = np.arange(50).repeat(2)
        weak, strong = (
            make_ladder(rng.random((100, 4)) < ease ** (power / np.arange(1, 5)), problems=problems) for power in (4, 1)
        )
        found.append((area(weak), gaps([weak, strong])[0]))
    for each in zip(*found, strict=True):
        values, errors = np.array([e for e in each if e is not None], float).T
        assert errors.mean() == pytest.approx(values.std(), rel=0.12)
