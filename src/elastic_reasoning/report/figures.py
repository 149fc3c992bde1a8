"""Accuracy over token budgets, as PNG and SVG.

    figure = accuracy_figure(summarise(records), title="Accuracy under separate budgets")
    save_figure(figure, folder / "accuracy")      # accuracy.png and accuracy.svg, the same bytes for the same rows

One colour for each model and one line style for each strategy, told apart by people who do not see colours as well
(Okabe & Ito 2008). What has no budget is a star at the tokens it used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter
from numpy import interp

from elastic_reasoning.budget import Budget
from elastic_reasoning.evaluation.metrics import Row
from elastic_reasoning.strategies import heeded

COLOURS = ("#6b7480", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""The first model is the one that others are compared with: grey."""
MAIN = "elastic"
TOP = 1.12
LABEL_WIDTH = 0.16
"""Of the label of a star, as a part of the figure's width."""
STYLES = {
    "elastic": ("-", "o"),
    "nothinking": (":", "v"),
    "vanilla": ((0, (1, 1.5)), "s"),
    "s1": ((0, (5, 2)), "^"),
    "l1-exact": ((0, (5, 1, 1, 1)), "D"),
    "l1-max": ((0, (5, 1, 1, 1, 1, 1)), "P"),
}
NAMES = {"elastic": "separate budgets", "vanilla": "truncated", "unconstrained": "no budget"}
STYLE = {
    "svg.hashsalt": "elastic-reasoning",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a929c",
    "axes.labelcolor": "#30363d",
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "text.color": "#1f2328",
    "figure.facecolor": "white",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A row as a place in the figure: x in tokens, accuracy and its standard error in 0 to 1."""

    x: float
    accuracy: float
    se: float
    budget: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One model under one strategy. Points with a budget make a line, those without one are stars."""

    model: str
    strategy: str
    colour: str
    line: tuple[Point, ...]
    stars: tuple[Point, ...]

    @property
    def label(self) -> str:
        return f"{self.model}, {NAMES.get(self.strategy, self.strategy)}"


def curves(rows: Sequence[Row]) -> list[Curve]:
    """The curves of the rows, in their order; rows in which nothing was graded are left out."""
    models = list(dict.fromkeys(row.model for row in rows))
    found = []
    for model, strategy in dict.fromkeys((row.model, row.strategy) for row in rows):
        points: dict[bool, list[Point]] = {True: [], False: []}
        for row in rows:
            if (row.model, row.strategy) != (model, strategy) or row.accuracy is None:
                continue
            total = heeded(strategy, Budget.parse(row.budget))[0].total
            place = row.mean_total_tokens or 0.0 if total is None else float(total)
            points[total is not None].append(Point(place, row.accuracy, row.accuracy_se or 0.0, row.budget))
        colour = COLOURS[models.index(model) % len(COLOURS)]
        found.append(Curve(model, strategy, colour, *(tuple(points[kind]) for kind in (True, False))))
    return found


def accuracy_figure(rows: Sequence[Row], title: str = "", trained_at: str = "") -> Figure:
    """Accuracy over the total budget t + s, with one standard error up and down.

    Args:
        rows: what `summarise` gave.
        title: above the figure.
        trained_at: a budget to mark as the one that training saw.
    """
    drawn = curves(rows)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axes = figure.add_subplot()
        _axes(axes, drawn)
        for curve in drawn:
            _draw(axes, curve)
        if trained_at:
            _mark(axes, Budget.parse(trained_at))
        _labels(axes, drawn)
        if title:
            axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=12, parse_math=False)
    return figure


def _axes(axes: Axes, drawn: Sequence[Curve]) -> None:
    points = [point for curve in drawn for point in curve.line]
    stars = [point for curve in drawn for point in curve.stars]
    places = [point.x for point in (*points, *stars)] or [1.0]
    if min(places) > 0:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        margin = (max(places) / min(places)) ** 0.05 * 1.01
        axes.set_xlim(min(places) / margin, max(places) * margin)
    if points:
        budgets: dict[float, list[str]] = {}
        for point in sorted(points, key=lambda point: point.x):
            budgets.setdefault(point.x, []).append(point.budget)
        texts = {place: f"{place:.0f}\n{'/'.join(dict.fromkeys(names))}" for place, names in budgets.items()}
        shown = _spread(list(texts), max(places) / max(min(places), 1))
        axes.xaxis.set_major_locator(FixedLocator(shown))
        axes.set_xticks(shown, [texts[place] for place in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(0, TOP)
    axes.set_yticks([tick / 5 for tick in range(6)])
    axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    star = "; ★ tokens used without a budget" if stars else ""
    axes.set_xlabel(f"total token budget (thinking + solution{star})")
    axes.set_ylabel("accuracy")


def _spread(places: Sequence[float], span: float) -> list[float]:
    """Ticks that are far enough apart for their labels to be read."""
    shown: list[float] = []
    for place in places:
        if not shown or place <= 0 or log2(place / max(shown[-1], 1e-9)) > 0.085 * log2(max(span, 1.01)):
            shown.append(place)
    return shown


def _look(curve: Curve) -> dict[str, Any]:
    style, marker = STYLES.get(curve.strategy, ("-", "o"))
    main = curve.strategy == MAIN
    return {
        "color": curve.colour,
        "linestyle": style,
        "linewidth": 2.2 if main else 1.4,
        "marker": marker,
        "markersize": 5.5 if main else 4.5,
        "markerfacecolor": curve.colour if main else "white",
    }


def _draw(axes: Axes, curve: Curve) -> None:
    order = 4 if curve.strategy == MAIN else 3
    x, accuracy, se = ([getattr(point, name) for point in curve.line] for name in ("x", "accuracy", "se"))
    axes.errorbar(x, accuracy, yerr=se, elinewidth=1.1, capsize=2.5, zorder=order, **_look(curve))
    for point in curve.stars:
        axes.errorbar([point.x], [point.accuracy], [point.se], color=curve.colour, elinewidth=1.1, zorder=5)
        star: dict[str, Any] = {"markersize": 15, "color": curve.colour, "markeredgecolor": "white", "zorder": 6}
        axes.plot(point.x, point.accuracy, "*", **star)


def _mark(axes: Axes, budget: Budget) -> None:
    if budget.total is None:
        return
    axes.axvline(budget.total, color="#8a929c", linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "xytext": (5, 7), "textcoords": "offset points"}
    axes.annotate(f"trained at {budget}", (budget.total, 0), fontsize=8.5, color="#57606a", **place)


def _labels(axes: Axes, drawn: Sequence[Curve]) -> None:
    """A piece and the name of each curve at the height of its last point, moved apart where they would overlap."""
    lined = [curve for curve in drawn if curve.line]
    lined.sort(key=lambda curve: (curve.line[-1].accuracy, sum(point.accuracy for point in curve.line)))
    heights = apart([curve.line[-1].accuracy for curve in lined], gap=0.058, ceiling=TOP - 0.03)
    to_right = axes.get_yaxis_transform()  # x in parts of the width, y in accuracy
    for curve, height in zip(lined, heights, strict=True):
        ends = ([1.015, 1.04, 1.065], [height] * 3)
        axes.plot(*ends, transform=to_right, clip_on=False, markevery=[1], **_look(curve))
        weight = "bold" if curve.strategy == MAIN else "normal"
        look: dict[str, Any] = {"color": curve.colour, "fontweight": weight, "parse_math": False}
        axes.text(1.08, height, curve.label, transform=to_right, va="center", **look)
    for curve in drawn:
        for point in curve.stars:
            look = {"color": curve.colour, "fontsize": 8.5, "ha": "center", "va": "center", "zorder": 7}
            text = axes.text(point.x, _free_height(axes, point, drawn), f"{point.x:.0f} tokens", **look)
            text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def _free_height(axes: Axes, star: Point, drawn: Sequence[Curve]) -> float:
    """A height near a star, above it or below, at which its label is clear of curves and of other stars."""
    scale = log2 if axes.get_xscale() == "log" else float
    low, high = (scale(end) for end in axes.get_xlim())
    reach = LABEL_WIDTH / 2 * (high - low)
    places = [scale(star.x) + reach * step / 8 for step in range(-8, 9)]
    taken = [p.accuracy for c in drawn for p in c.stars if p is not star and abs(scale(p.x) - scale(star.x)) < reach]
    for curve in drawn:
        line = sorted(curve.line, key=lambda point: point.x)
        along = [scale(point.x) for point in line]
        inside = [place for place in places if line and along[0] <= place <= along[-1]]
        taken += [float(interp(place, along, [point.accuracy for point in line])) for place in inside]
    heights = [star.accuracy + away for away in (0.058, -0.058, 0.1, -0.1, 0.15, -0.15)]
    heights = [height for height in heights if 0.03 < height < TOP - 0.02]
    return max(heights, key=lambda height: min(0.04, *(abs(height - other) for other in [*taken, TOP])))


def apart(heights: Sequence[float], gap: float, ceiling: float) -> list[float]:
    """Ascending heights moved so that neighbours are at least `gap` apart and none is above the ceiling.

    Groups that touch are spread evenly around their middle.
    """

    def spread(group: Sequence[float]) -> list[float]:
        lowest = sum(group) / len(group) - gap * (len(group) - 1) / 2
        lowest = min(lowest, ceiling - gap * (len(group) - 1))
        return [lowest + gap * n for n in range(len(group))]

    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and spread(groups[-1])[0] - spread(groups[-2])[-1] < gap:
            last = groups.pop()
            groups[-1].extend(last)
    return [height for group in groups for height in spread(group)]


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write PNG and SVG beside each other; `path` is without an ending. Neither holds a date."""
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    with mpl.rc_context(STYLE):
        figure.savefig(png, dpi=200, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None})
    return png, svg
