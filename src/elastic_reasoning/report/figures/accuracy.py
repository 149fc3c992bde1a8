"""Accuracy over tokens: the total budget, the tokens that were used, or t at a fixed s.

    figure = accuracy_figure(summarise(records), title="Accuracy under separate budgets")
    save_figure(figure, folder / "accuracy")      # accuracy.png and accuracy.svg, the same bytes for the same rows

What has no budget is a star at the tokens it used. What papers print for the task can be laid over tokens used.
"""

from collections.abc import Sequence
from math import log2
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter
from numpy import interp

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.report.figures.curves import (
    Curve,
    Over,
    Point,
    accuracy_range,
    curves,
    number_of,
    places_of,
    ticks_of,
)
from elastic_reasoning.report.figures.look import QUIET, STYLE, apart, line_look, set_title, wrapped
from elastic_reasoning.report.names import abridged, compact_budget
from elastic_reasoning.report.published import Published

TOP = 1.12
"""Of the axis of accuracy, as a part of its highest tick: room for the labels of stars."""
LABEL_WIDTH = 0.16
"""Of the label of a star, as a part of the figure's width."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
"""Of published series, and of curves that differ in s alone."""
X_LABELS = {
    "total": "total token budget (thinking + solution{star})",
    "used": "tokens used, mean of a sample{star}",
    "thinking": "thinking budget t, at a fixed solution budget s{star}",
}
STARS = {
    "total": "; ★ tokens used without a budget",
    "used": " (★ without a budget)",
    "thinking": " (★ tokens of thinking without a budget)",
}


def accuracy_figure(
    rows: Sequence[Row], title: str = "", trained_at: str = "", over: Over = "total", others: Sequence[Published] = ()
) -> Figure:
    """Accuracy over tokens, with one standard error up and down.

    Args:
        rows: what `summarise` gave.
        title: above the figure.
        trained_at: a budget to mark as the one that training saw.
        over: what x is.
        others: published series to lay over; for the tokens used.
    """
    drawn = curves(rows, over)
    with mpl.rc_context(STYLE):
        named = _named(drawn, others)
        longest = max((len(label) for _, label, _, _ in named), default=0)
        num_labels = len(named)
        size = (9 + 0.08 * max(0, longest - 30), max(4.6, 1.2 + 0.24 * num_labels))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        _x_axis(axes, drawn, others, over)
        _y_axis(axes, drawn, others)
        for curve in drawn:
            _draw(axes, curve, _look(curve, drawn))
        for number, series in enumerate(others):
            _lay_over(axes, series, MARKERS[number % len(MARKERS)])
        if trained_at and over != "used":
            budget = Budget.parse(trained_at)
            _mark(axes, budget.total if over == "total" else budget.thinking, compact_budget(trained_at))
        _labels(axes, named)
        _star_labels(axes, drawn)
        if not drawn:
            axes.text(0.5, 0.5, "nothing was graded", transform=axes.transAxes, ha="center", color=QUIET)
        set_title(axes, wrapped(title, size[0]))
    return figure


def _x_axis(axes: Axes, drawn: Sequence[Curve], others: Sequence[Published], over: Over) -> None:
    places = places_of(drawn, others)
    smallest = next((place for place in places if place > 0), None)
    margin = (places[-1] / (smallest or 1.0)) ** 0.05 * 1.01
    if places[0] > 0:
        axes.set_xscale("log", base=2)
        axes.set_xlim(places[0] / margin, places[-1] * margin)
    elif over == "thinking" and smallest:
        axes.set_xscale("symlog", base=2, linthresh=smallest)  # t = 0 stands one doubling to the left of the least t
        axes.set_xlim(-0.15 * smallest, places[-1] * margin)
    texts = ticks_of(drawn, places, over)
    if not drawn:
        axes.set_xticks([])
    elif texts:
        shown = _spread(texts, places[-1] / (smallest or 1.0) * (1 if places[0] > 0 else 2))
        axes.xaxis.set_major_locator(FixedLocator(shown))
        axes.set_xticks(shown, [texts[place] for place in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    starred = any(curve.stars for curve in drawn)
    axes.set_xlabel(X_LABELS[over].format(star=STARS[over] if starred else ""))


def _spread(texts: dict[float, str], span: float) -> list[float]:
    """Ticks that are far enough apart for their labels to be read."""
    shown: list[float] = []
    widths = {place: max(map(len, text.split("\n"))) for place, text in texts.items()}
    for place in texts:
        least = 0.01 + 0.015 * (widths[place] + (widths[shown[-1]] if shown else 0)) / 2  # parts of the axis
        if not shown or place <= 0 or log2(place / max(shown[-1], 1e-9)) > least * log2(max(span, 1.01)):
            shown.append(place)
    return shown


def _y_axis(axes: Axes, drawn: Sequence[Curve], others: Sequence[Published]) -> None:
    low, high, step = accuracy_range(drawn, others)
    axes.set_ylim(low, low + TOP * (high - low))
    axes.set_yticks([low + step * tick for tick in range(round((high - low) / step) + 1)])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.set_ylabel("accuracy")


def _look(curve: Curve, drawn: Sequence[Curve]) -> dict[str, Any]:
    marker = MARKERS[number_of(curve, drawn) % len(MARKERS)] if curve.solution else ""
    return line_look(curve.strategy, curve.colour, marker)


def _draw(axes: Axes, curve: Curve, look: dict[str, Any]) -> None:
    order = 4 if curve.strategy == DEFAULT_STRATEGY else 3
    x, accuracy, se = ([getattr(point, name) for point in curve.line] for name in ("x", "accuracy", "se"))
    axes.errorbar(x, accuracy, yerr=se, elinewidth=1.1, capsize=2.5, zorder=order, **look)
    for point in curve.stars:
        axes.errorbar([point.x], [point.accuracy], [point.se], color=curve.colour, elinewidth=1.1, zorder=5)
        star: dict[str, Any] = {"markersize": 15, "color": curve.colour, "markeredgecolor": "white", "zorder": 6}
        axes.plot(point.x, point.accuracy, "*", **star)


def _lay_over(axes: Axes, series: Published, marker: str) -> None:
    look = _published_look(series, marker)
    axes.plot([place for place, _ in series.line], [accuracy for _, accuracy in series.line], **look)
    for place, accuracy in series.stars:
        axes.plot(place, accuracy, **{**look, "linestyle": ""})
    if series.across is not None:
        axes.axhline(series.across, **look)


def _published_look(series: Published, marker: str) -> dict[str, Any]:
    across = series.across is not None
    return {
        "color": "#9aa3ad",
        "linestyle": (0, (1, 3)) if across else "-",
        "linewidth": 1.0,
        "marker": "" if across else marker,
        "markersize": 4.5,
        "markerfacecolor": "white",
        "zorder": 2,
    }


def _mark(axes: Axes, place: int | None, text: str) -> None:
    """A line where the training budget is; where that lies beyond the axis, an arrow at the end it lies behind."""
    if place is None:
        return
    low, high = axes.get_xlim()
    beyond = place < low or place > high
    to_left = place > high or (not beyond and _share(axes, place) > 0.5)  # towards where there is room
    said = f"trained at {text}"
    if beyond:
        said = f"{said} →" if to_left else f"← {said}"
    else:
        axes.axvline(place, color="#8a929c", linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    at = (min(max(place, low), high), 0)
    where: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    where |= {"xytext": (-5, 7), "ha": "right"} if to_left else {"xytext": (5, 7), "ha": "left"}
    axes.annotate(said, at, fontsize=8.5, color=QUIET, **where)


def _share(axes: Axes, place: float) -> float:
    """Where a place stands along the axis of tokens, in parts of its length."""
    low, at, high = (
        axes.xaxis.get_transform().transform([x])[0] for x in (axes.get_xlim()[0], place, axes.get_xlim()[1])
    )
    return float((at - low) / (high - low))


Name = tuple[tuple[float, float], str, dict[str, Any], dict[str, Any]]
"""What a name is sorted by (the height of its last point first), the name, and how the piece and the text look."""


def _named(drawn: Sequence[Curve], others: Sequence[Published]) -> list[Name]:
    """Whatever needs a name: each curve, each star of a model that has no curve, and what was published."""
    found: list[Name] = []
    with_line = {curve.model for curve in drawn if curve.line}
    labels = abridged(curve.label for curve in drawn)
    for curve in drawn:
        if curve.line or curve.model not in with_line:
            accuracies = [point.accuracy for point in curve.line or curve.stars]
            look = _look(curve, drawn)
            if not curve.line:
                look |= {"linestyle": "", "marker": "*", "markersize": 12, "markerfacecolor": curve.colour}
            text: dict[str, Any] = {
                "color": curve.colour,
                "fontweight": "bold" if curve.strategy == DEFAULT_STRATEGY else "normal",
            }
            found.append(((accuracies[-1], sum(accuracies)), labels[curve.label], look, text))
    for number, series in enumerate(others):
        accuracies = [accuracy for _, accuracy in series.line or series.stars]
        if series.across is not None:
            accuracies = [series.across]
        if accuracies:
            about = f"{series.name}{', read off' if series.read_off else ''}"
            quiet = {"color": QUIET, "fontsize": 8}
            found.append(((accuracies[-1], 0.0), about, _published_look(series, MARKERS[number % len(MARKERS)]), quiet))
    return sorted(found, key=lambda name: name[0])


def _labels(axes: Axes, named: Sequence[Name]) -> None:
    """A piece and the name of each curve at the height of its last point, moved apart where they would overlap."""
    low, top = axes.get_ylim()
    gap = (top - low) * min(0.052, 0.97 / max(1, len(named)))
    heights = apart([name[0][0] for name in named], gap=gap, ceiling=top - 0.027 * (top - low))
    heights = [-height for height in apart([-height for height in heights[::-1]], gap=gap, ceiling=-low)][::-1]
    to_right = axes.get_yaxis_transform()  # x in parts of the width, y in accuracy
    for (_, label, look, text), height in zip(named, heights, strict=True):
        axes.plot([1.015, 1.04, 1.065], [height] * 3, transform=to_right, clip_on=False, markevery=[1], **look)
        axes.text(1.08, height, label, transform=to_right, va="center", parse_math=False, **text)


def _star_labels(axes: Axes, drawn: Sequence[Curve]) -> None:
    first, *_, last = [*places_of(drawn), places_of(drawn)[-1]]
    for curve in drawn:
        for point in curve.stars:
            look: dict[str, Any] = {"color": curve.colour, "fontsize": 8.5, "va": "center", "zorder": 7}
            # At an end its label would reach into the names, or into the axis of accuracy.
            left, right = axes.get_xlim()
            place = (right, "right") if point.x == last else (left, "left") if point.x == first else (point.x, "center")
            text = axes.text(place[0], _free_height(axes, point, drawn), f"{point.x:.0f} tokens", ha=place[1], **look)
            text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def _free_height(axes: Axes, star: Point, drawn: Sequence[Curve]) -> float:
    """A height near a star, above it or below, at which its label is clear of curves and of other stars."""
    scale = log2 if axes.get_xscale() == "log" else float
    low, high = (scale(end) for end in axes.get_xlim())
    floor_, top = axes.get_ylim()
    unit = (top - floor_) / TOP
    reach = LABEL_WIDTH / 2 * (high - low)
    places = [scale(star.x) + reach * step / 8 for step in range(-8, 9)]
    taken = [p.accuracy for c in drawn for p in c.stars if p is not star and abs(scale(p.x) - scale(star.x)) < reach]
    for curve in drawn:
        line = sorted(curve.line, key=lambda point: point.x)
        along = [scale(point.x) for point in line]
        inside = [place for place in places if line and along[0] <= place <= along[-1]]
        taken += [float(interp(place, along, [point.accuracy for point in line])) for place in inside]
    heights = [star.accuracy + away * unit for away in (0.058, -0.058, 0.1, -0.1, 0.15, -0.15)]
    heights = [height for height in heights if floor_ + 0.03 * unit < height < top - 0.02 * unit]
    return max(heights, key=lambda height: min(0.04 * unit, *(abs(height - other) for other in [*taken, top])))
