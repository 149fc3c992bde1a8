"""Accuracy over every (t, s): a heat map for each model, where there are at least two t and two s.

for grid in grids(summarise(records)):
    print(grid.model, grid.thinking, grid.solution, grid.cells[0, 1024])

t = 0 is a column of its own, whether it was run as `nothinking` or as `elastic`; unlimited stands last, as ∞.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.strategies import effective
from elastic_reasoning.report.figures.look import STYLE, set_title, wrapped
from elastic_reasoning.report.names import abridged, part_text, short_names

SHADES = "Blues"
ACROSS = 3
NAME_LETTERS = 28
"""Of a model's name above its grid: grids of two columns are narrow."""


@dataclass(frozen=True, slots=True)
class Grid:
    """One model's rows by both budgets.

    Attributes:
        model: whose.
        thinking, solution: the budgets in ascending order; `inf` for none.
        cells: the row of each (t, s) that was run.
    """

    model: str
    thinking: tuple[float, ...]
    solution: tuple[float, ...]
    cells: dict[tuple[float, float], Row]


def grids(rows: Sequence[Row]) -> list[Grid]:
    """The grids of the models that were run with at least two t and at least two s."""
    found = []
    for model in dict.fromkeys(row.model for row in rows):
        cells: dict[tuple[float, float], Row] = {}
        for row in rows:
            budget, bounds = effective(row.strategy, Budget.parse(row.budget))
            if row.model == model and bounds == "separate" and row.accuracy is not None:
                place = (_number(budget.thinking), _number(budget.solution))
                cells.setdefault(place, row)
        thinking, solution = (tuple(sorted({place[n] for place in cells})) for n in (0, 1))
        if len(thinking) > 1 and len(solution) > 1:
            found.append(Grid(model, thinking, solution, cells))
    return found


def _number(part: int | None) -> float:
    return inf if part is None else float(part)


def highest(found: Sequence[Grid]) -> float:
    """The accuracy that the darkest shade stands for: the highest of all grids, so that they can be compared."""
    best = max((row.accuracy or 0.0 for grid in found for row in grid.cells.values()), default=1.0)
    return max(0.1, ceil(best * 20) / 20)


def heat_figure(found: Sequence[Grid], title: str = "") -> Figure:
    """The grids beside each other, in the same shades."""
    num_rows = ceil(len(found) / ACROSS)
    num_columns = ceil(len(found) / num_rows)
    width = max(5.5, sum(0.8 * len(grid.thinking) + 1.1 for grid in found[:num_columns]))
    height = 1.6 + num_rows * (0.7 + 0.5 * max(len(grid.solution) for grid in found))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        panels = figure.subplots(num_rows, num_columns, squeeze=False).flatten()
        for panel in panels[len(found) :]:
            panel.set_axis_off()
        top = highest(found)
        short = short_names(grid.model for grid in found)
        names = abridged(short.values(), NAME_LETTERS)
        for axes, grid in zip(panels, found, strict=False):
            _draw(axes, grid, names[short[grid.model]], top)
        if title:
            figure.suptitle(wrapped(title, width), x=0.01, ha="left", fontsize=12, fontweight="bold", parse_math=False)
    return figure


def _draw(axes: Axes, grid: Grid, name: str, top: float) -> None:
    shades = mpl.colormaps[SHADES]
    for (t, s), row in grid.cells.items():
        x, y = grid.thinking.index(t), grid.solution.index(s)
        share = min(1.0, (row.accuracy or 0.0) / top)
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, color=shades(0.85 * share)))
        ink = "white" if share > 0.6 else "#1f2328"
        axes.text(x, y + 0.02, f"{100 * (row.accuracy or 0):.1f}", ha="center", va="bottom", color=ink)
        if row.accuracy_se is not None:
            axes.text(x, y - 0.06, f"± {100 * row.accuracy_se:.1f}", ha="center", va="top", color=ink, fontsize=7.5)
    for axis, values, set_limits in (
        (axes.xaxis, grid.thinking, axes.set_xlim),
        (axes.yaxis, grid.solution, axes.set_ylim),
    ):
        axis.set_ticks(range(len(values)), [part_text(value) for value in values])
        set_limits(-0.5, len(values) - 0.5)
    axes.tick_params(length=0)
    axes.set_facecolor("#f3f4f6")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("thinking budget t")
    axes.set_ylabel("solution budget s")
    set_title(axes, f"{name}\naccuracy in %", fontsize=10, pad=6)
