"""What all figures share: colours, lines, labels that keep apart, and how a figure is saved.

One colour for each model and one line style for each strategy, told apart by people who do not see colours as well
(Okabe & Ito 2008).
"""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elastic_reasoning.core.printable import printable
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.strategies import facts_of

COLOURS = ("#6b7480", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""The first model is the one that others are compared with: grey."""
QUIET = "#57606a"
LETTERS_PER_INCH = 8.5
"""Of a title, in the font that figures have."""
STYLE = {
    "svg.hashsalt": "elastic-reasoning",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a929c",
    "axes.labelcolor": "#30363d",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "text.color": "#1f2328",
    "figure.facecolor": "white",
}


def line_look(strategy: str, colour: str, marker: str = "") -> dict[str, Any]:
    """How matplotlib draws the line of a strategy, with another marker where one is given."""
    drawn = facts_of(strategy)
    main = strategy == DEFAULT_STRATEGY
    return {
        "color": colour,
        "linestyle": drawn.line,
        "linewidth": 2.2 if main else 1.4,
        "marker": marker or drawn.marker,
        "markersize": 5.5 if main else 4.5,
        "markerfacecolor": colour if main else "white",
    }


def wrapped(title: str, inches: float) -> str:
    """A figure's title in lines that fit into so many inches."""
    return fill(printable(title), max(20, int(LETTERS_PER_INCH * inches)))


def set_title(axes: Axes, title: str, **look: Any) -> None:
    """A title on the left; dollar signs in it are text."""
    if title:
        axes.set_title(
            printable(title), loc="left", parse_math=False, **{"fontsize": 12, "fontweight": "bold", "pad": 12, **look}
        )


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
