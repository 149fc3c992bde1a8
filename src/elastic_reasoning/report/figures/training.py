"""How training went: reward, lengths and forced closes over the steps.

figure = training_figure(read_run(Path("runs/e1")).metrics)
"""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from elastic_reasoning.report.figures.look import COLOURS, QUIET, STYLE, set_title, wrapped

PANELS = {
    "reward": {"reward": "reward", "accuracy": "accuracy"},
    "tokens": {"thinking_tokens": "thinking", "solution_tokens": "solution"},
    "share of rollouts": {"forced_rate": "thinking closed by force", "cut_rate": "solution cut"},
}
"""What stands beside each other, and what each metric is called there."""


def training_figure(metrics: Sequence[Mapping[str, float]], title: str = "") -> Figure:
    """Three panels over the steps; a metric that was not logged is left out."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.2), layout="constrained")
        for axes, (label, names) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
            for (name, shown), colour in zip(names.items(), COLOURS[1:], strict=False):
                points = [(line["step"], line[name]) for line in metrics if name in line]
                if points:
                    axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.4, label=shown)
            if label == "share of rollouts":
                axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axes.set_xlabel("step")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.margins(y=0.15)
            axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
            axes.tick_params(length=0, labelsize=8, colors=QUIET)
            set_title(axes, label, fontsize=9.5, pad=4)
            if axes.lines:
                axes.legend(frameon=False, fontsize=8)
        if title:
            figure.suptitle(wrapped(title, 11), x=0.01, ha="left", fontsize=12, fontweight="bold", parse_math=False)
    return figure
