"""How long thinking and solution were: histograms for each setting, models laid over each other.

    figure = lengths_figure(records)      # None where there is nothing to show
    counted([3, 3, 40])                   # Histogram(width=1, counts=(0, 0, 0, 2, 0, ..., 1))

Models stand in the order of the records: the first is before training, the next ones after.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, log2

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, PercentFormatter

from elastic_reasoning.analysis.ordering import budget_order
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import facts_of, label_of
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.figures.look import COLOURS, QUIET, STYLE, set_title, wrapped
from elastic_reasoning.report.names import abridged, compact, compact_budget, short_names

MAX_BINS = 48
WIDTH = 9
"""Of the figure in inches."""
LEGEND_LETTERS = 110
"""In a line of the legend."""
MAX_PANELS = 6
"""Settings that the figure shows, spread over all; the page has every one."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many samples have so many tokens: counts[n] of n * width up to, but not including, (n + 1) * width.

    Widths are powers of two, so that two histograms can be brought to the same bins exactly, and a budget that is a
    multiple of the width has a bin that begins with it.
    """

    width: int
    counts: tuple[int, ...]

    def widened(self, width: int) -> "Histogram":
        """The same samples in wider bins."""
        step = width // self.width
        return Histogram(width, tuple(sum(self.counts[n : n + step]) for n in range(0, len(self.counts), step)))


def counted(values: Sequence[int]) -> Histogram:
    """The values in the narrowest bins of which there are at most MAX_BINS."""
    width = 1
    while max(values, default=0) // width >= MAX_BINS:
        width *= 2
    counts = [0] * (max(values, default=0) // width + 1)
    for value in values:
        counts[value // width] += 1
    return Histogram(width, tuple(counts))


def lengths(records: Iterable[Record]) -> dict[Setting, tuple[Histogram, Histogram]]:
    """Sampled thinking tokens and sampled solution tokens of each setting; records with an error are left out."""
    groups = Records.of(records).graded().by_setting()
    return {
        setting: (counted(group["num_thinking_tokens"].tolist()), counted(group["num_solution_tokens"].tolist()))
        for setting, group in groups.items()
    }


def lengths_figure(found: dict[Setting, tuple[Histogram, Histogram]], title: str = "") -> Figure | None:
    """Settings below each other, thinking beside solution, a colour for each model.

    Shown are the budgets of separate budgeting, or of the first strategy where that was not run, and what has no
    budget.
    """
    strategies = list(dict.fromkeys(setting.strategy for setting in found))
    main = DEFAULT_STRATEGY if DEFAULT_STRATEGY in strategies else next(iter(strategies), "")
    models = list(dict.fromkeys(setting.model for setting in found))
    colours = {model: COLOURS[n % len(COLOURS)] for n, model in enumerate(models)}
    budgets = sorted({setting.budget for setting in found if setting.strategy == main}, key=budget_order)
    others = dict.fromkeys((setting.strategy, setting.budget) for setting in found if setting.strategy != main)
    free = [(strategy, budget) for strategy, budget in others if facts_of(strategy).ignores_budget]
    panels = [*((main, budget) for budget in _spread(budgets, MAX_PANELS - len(free))), *free]
    if not panels:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + 1.35 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 2, squeeze=False)
        for row, (strategy, budget) in zip(axes, panels, strict=True):
            asked = {model: Setting(model, strategy, budget) for model in models}
            shown = {model: found[setting] for model, setting in asked.items() if setting in found}
            for part, panel in enumerate(row):
                _draw(panel, {model: both[part] for model, both in shown.items()}, colours)
            name = "" if facts_of(strategy).ignores_budget else f", {compact_budget(str(budget))}"
            set_title(row[0], f"{label_of(strategy)}{name}", fontsize=9.5, pad=4)
        for panel, text in zip(axes[-1], ("thinking tokens", "solution tokens"), strict=True):
            panel.set_xlabel(text)
        patches = [Patch(facecolor=to_rgba(colour, 0.3), edgecolor=colour) for colour in colours.values()]
        names = [name.replace("$", r"\$") for name in abridged(short_names(models).values()).values()]
        columns = max(1, min(len(models), LEGEND_LETTERS // (6 + max(map(len, names)))))
        figure.legend(patches, names, loc="outside lower left", ncols=columns, frameon=False)
        if title:
            figure.suptitle(wrapped(title, WIDTH), x=0.01, ha="left", fontsize=12, fontweight="bold", parse_math=False)
    return figure


def _spread(budgets: Sequence[Budget], most: int) -> list[Budget]:
    """At most so many budgets, evenly from the first to the last."""
    if len(budgets) <= most:
        return list(budgets)
    return [budgets[round(n * (len(budgets) - 1) / (most - 1))] for n in range(most)]


def _draw(axes: Axes, shapes: dict[str, Histogram], colours: dict[str, str]) -> None:
    """Shares of the samples, so that models with different numbers of samples can be compared."""
    width = max(shape.width for shape in shapes.values())
    for model, shape in shapes.items():
        counts = shape.widened(width).counts
        shares = [count / sum(counts) for count in counts]
        edges = [n * width for n in range(len(counts) + 1)]
        axes.stairs(shares, edges, fill=True, color=colours[model], alpha=0.3)
        axes.stairs(shares, edges, color=colours[model], linewidth=1.3)
    longest = max(len(shape.counts) * shape.width for shape in shapes.values())
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, max(longest, 8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.xaxis.set_major_locator(MultipleLocator(2 ** max(0, ceil(log2(longest / 6)))))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.tick_params(length=0, labelsize=8, colors=QUIET)
