"""Rows as curves over tokens: the total budget, the tokens used, or the thinking budget at a fixed solution budget.

for curve in curves(summarise(records), over="thinking"):
    print(curve.label, [(point.x, point.accuracy) for point in curve.line])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, log2
from typing import Literal

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.strategies import effective, label_of
from elastic_reasoning.report.figures.look import COLOURS
from elastic_reasoning.report.names import compact, compact_budget, part_text, short_names
from elastic_reasoning.report.published import Published

Over = Literal["total", "used", "thinking"]


@dataclass(frozen=True, slots=True)
class Point:
    """A row as a place in the figure: x in tokens, accuracy and its standard error in 0 to 1.

    Probes are beyond a budget, and so is the place where there are any, by the mean of their tokens.
    """

    x: float
    accuracy: float
    se: float
    budget: str
    beyond: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One model under one strategy, and one solution budget where there are several.

    Points with a budget make a line, those without one are stars. `name` is the model's in short; `solution` is the
    solution budget as text, empty where the curve is the only one of its model and strategy.
    """

    model: str
    name: str
    strategy: str
    solution: str
    colour: str
    line: tuple[Point, ...]
    stars: tuple[Point, ...]

    @property
    def label(self) -> str:
        s = f", s = {self.solution}" if self.solution else ""
        return f"{self.name}/{label_of(self.strategy)}{s}"


def curves(rows: Sequence[Row], over: Over = "total") -> list[Curve]:
    """The curves of the rows, in their order; rows in which nothing was graded are left out.

    Budgets of several s make a curve each, but for a strategy that heeds nothing of a budget but its total.
    """
    names = short_names(row.model for row in rows)
    graded = [row for row in rows if row.accuracy is not None]
    found = []
    for model, strategy in dict.fromkeys((row.model, row.strategy) for row in graded):
        own = [row for row in graded if (row.model, row.strategy) == (model, strategy)]
        by_solution: dict[float | None, list[Row]] = {}
        for row in own:
            by_solution.setdefault(_solution(row) if over == "thinking" or _separate(row) else None, []).append(row)
        colour = COLOURS[list(names).index(model) % len(COLOURS)]
        drawn = [
            (solution, *_points(by_solution[solution], over))
            for solution in sorted(by_solution, key=lambda s: s or 0.0)
        ]
        several = sum(bool(line) for _, line, _ in drawn) > 1
        for solution, line, stars in drawn:
            s = part_text(solution) if several and line and solution is not None else ""
            found.append(Curve(model, names[model], strategy, s, colour, line, stars))
    return [curve for curve in found if curve.line or curve.stars]


def number_of(curve: Curve, drawn: Sequence[Curve]) -> int:
    """Which of the curves of its model and strategy it is: they differ in s alone, and in their marker."""
    return [c.solution for c in drawn if (c.model, c.strategy) == (curve.model, curve.strategy)].index(curve.solution)


def _separate(row: Row) -> bool:
    return effective(row.strategy, Budget.parse(row.budget))[1] == "separate"


def _solution(row: Row) -> float:
    solution = effective(row.strategy, Budget.parse(row.budget))[0].solution
    return inf if solution is None else float(solution)


def _points(rows: Sequence[Row], over: Over) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    line: dict[float, Point] = {}
    stars = []
    for row in rows:
        budget = effective(row.strategy, Budget.parse(row.budget))[0]
        bound = budget.thinking if over == "thinking" and budget.solution is not None else budget.total
        used = row.mean_thinking_tokens if over == "thinking" else row.mean_total_tokens
        beyond = 0.0 if bound is None or over == "used" else row.mean_probe_tokens or 0.0
        place = (used or 0.0) if bound is None or over == "used" else bound + beyond
        point = Point(place, row.accuracy or 0.0, row.accuracy_se or 0.0, row.budget, beyond)
        if bound is None:
            stars.append(point)
        else:
            line.setdefault(place, point)  # budgets of one total are one run of a strategy that heeds no more
    return tuple(sorted(line.values(), key=lambda point: point.x)), tuple(stars)


def places_of(drawn: Sequence[Curve], others: Sequence[Published] = ()) -> list[float]:
    """Every place on the axis of tokens, in ascending order; never empty."""
    own = [point.x for curve in drawn for point in (*curve.line, *curve.stars)]
    laid = [point.place for series in others for point in series.points if point.place is not None]
    return sorted([*own, *laid]) or [1.0]


def ticks_of(drawn: Sequence[Curve], places: Sequence[float], over: Over) -> dict[float, str]:
    """Where ticks may stand, with their texts: at budgets, or at powers of two where tokens used are all there is."""
    points = sorted((p for curve in drawn for p in curve.line if not p.beyond), key=lambda point: point.x)
    if over == "used" or not points:
        ends = [log2(max(place, 1)) for place in (places[0], places[-1])]
        return {2.0**n: compact(2.0**n) for n in range(ceil(ends[0] - 0.1), floor(ends[1] + 0.1) + 1)}
    budgets: dict[float, list[str]] = {}
    for point in points:
        budgets.setdefault(point.x, []).append(compact_budget(point.budget))
    if over == "thinking":
        return {place: compact(place) for place in budgets}
    return {place: "\n".join([compact(place), *dict.fromkeys(names)]) for place, names in budgets.items()}


def accuracy_range(drawn: Sequence[Curve], others: Sequence[Published] = ()) -> tuple[float, float, float]:
    """The lowest and the highest tick of the axis of accuracy, and the step between ticks.

    From 0 to 1, less high where all is low, and not from 0 where all is high: differences must be seen.
    """
    own = [(point.accuracy, point.se) for curve in drawn for point in (*curve.line, *curve.stars)]
    laid = [(point.accuracy, 0.0) for series in others for point in series.points if point.accuracy is not None]
    highest = max((accuracy + se for accuracy, se in (*own, *laid)), default=1.0)
    lowest = min((accuracy - se for accuracy, se in (*own, *laid)), default=0.0)
    high = 1.0 if highest > 0.6 else max(0.1, ceil(highest * 10) / 10)
    low = 0.0 if lowest < 0.55 else floor(lowest * 10 - 0.5) / 10
    return low, high, next(step for step in (0.02, 0.05, 0.1, 0.2) if step == 0.2 or (high - low) / step < 6.5)
