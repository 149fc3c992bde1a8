from dataclasses import replace

import pytest

from elastic_reasoning.analysis.metrics import Row, summarise
from elastic_reasoning.report.figures.curves import accuracy_range, curves, places_of, ticks_of
from make_records import make_records

ROWS = summarise(make_records(num_problems=20, num_samples=1))
ASYMMETRIC = summarise(make_records(num_problems=4, num_samples=1, budgets=("0+20", "8+20", "24+8", "24+20")))


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


def line_of(rows: list[Row], over: str, label: str) -> list[float]:
    (curve,) = (curve for curve in curves(rows, over) if curve.label == label)  # type: ignore[arg-type]
    return [point.x for point in curve.line]


def test_each_solution_budget_has_a_curve_where_it_counts() -> None:
    assert line_of(ASYMMETRIC, "total", "mini/elastic, s = 8") == [32]
    assert line_of(ASYMMETRIC, "total", "mini/elastic, s = 20") == [20, 28, 44]
    assert line_of(ASYMMETRIC, "total", "mini/vanilla") == [20, 28, 32, 44]  # it heeds the total alone
    assert line_of(ASYMMETRIC, "thinking", "mini/elastic, s = 20") == [0, 8, 24]
    assert line_of(ASYMMETRIC, "thinking", "mini/vanilla, s = 8") == [24]


def test_a_run_without_a_limit_is_no_further_solution_budget() -> None:
    rows = [replace(ROWS[0], strategy="elastic", budget=budget) for budget in ("8+20", "24+20", "inf+inf")]
    line, star = curves(rows)
    assert (line.label, star.label) == ("mini/elastic", "mini/elastic")
    assert ([point.x for point in line.line], len(star.stars)) == ([28, 44], 1)


def test_budgets_of_one_total_are_one_point_of_what_heeds_no_more() -> None:
    rows = [replace(ROWS[0], strategy="vanilla", budget=budget) for budget in ("24+20", "34+10")]
    assert line_of(rows, "total", "mini/vanilla") == [44]


def test_over_tokens_used_every_point_stands_at_its_mean() -> None:
    (vanilla,) = (c for c in curves(ROWS, "used") if (c.model, c.strategy) == ("mini", "vanilla"))
    rows = [row for row in ROWS if (row.model, row.strategy) == ("mini", "vanilla")]
    assert [point.x for point in vanilla.line] == sorted(row.mean_total_tokens or 0.0 for row in rows)


def test_ticks_are_budgets_or_powers_of_two() -> None:
    rows = [replace(ROWS[0], budget=budget, mean_total_tokens=n) for budget, n in (("1024+512", 900), ("inf+20", 4200))]
    for over, ticks in (("total", ["1.5K\n1K+512"]), ("used", ["1K", "2K", "4K"]), ("thinking", ["1K"])):
        drawn = curves(rows, over)  # type: ignore[arg-type]
        assert list(ticks_of(drawn, places_of(drawn), over).values()) == ticks  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ((0.05, 0.9), (0.0, 1.0, 0.2)),
        ((0.02, 0.13), (0.0, 0.2, 0.05)),
        ((0.81, 0.86), (0.7, 1.0, 0.05)),
        ((), (0.0, 1.0, 0.2)),
    ],
)
def test_the_axis_shows_differences_where_all_is_low_or_high(
    accuracies: tuple[float, ...], expected: tuple[float, float, float]
) -> None:
    rows = [replace(ROWS[0], accuracy=a, accuracy_se=0.01, budget=f"{n}+20") for n, a in enumerate(accuracies, 8)]
    assert accuracy_range(curves(rows)) == pytest.approx(expected)
