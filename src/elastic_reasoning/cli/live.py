"""The live view of a training run: a panel in the terminal with the curves of the last steps.

    with live_view(config, new_console()) as on_step:
        train(config, on_step)

A run that goes on begins with the curves that its folder holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from elastic_reasoning.core.printable import one_line
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.folder import OnStep
from elastic_reasoning.untrusted.json import MalformedError, decode

if TYPE_CHECKING:
    from rich.console import Console
    from rich.panel import Panel

BARS = "▁▂▃▄▅▆▇█"
NUM_BARS = 40
NUM_TIMED = 10  # the last steps, whose mean says how long the others will take


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of the panel.

    Attributes:
        title: what it is called.
        metric: its name among the metrics of a step.
        form: how a value is written.
        low, high: values of the lowest and the highest bar; the least and the greatest that are shown if `None`.
    """

    title: str
    metric: str
    form: str
    low: float | None = None
    high: float | None = None


CURVES = (
    Curve("reward", "reward", ".3f"),
    Curve("accuracy", "accuracy", ".1%", 0.0, 1.0),
    Curve("thinking tokens", "thinking_tokens", ",.1f", 0.0),
    Curve("solution tokens", "solution_tokens", ",.1f", 0.0),
    Curve("forced closings", "forced_rate", ".1%", 0.0, 1.0),
    Curve("failed rollouts", "failed_rate", ".1%", 0.0, 1.0),
    Curve("loss", "loss", ".4f"),
    Curve("KL", "kl", ".4f"),
)


@contextmanager
def live_view(config: TrainConfig, console: "Console") -> Iterator[OnStep]:
    """Show a run on a terminal until the context ends; gives what is to be called after every step."""
    from rich.live import Live

    history = read_history(Path(config.out) / "metrics.jsonl")
    with Live(panel(history, config), console=console, auto_refresh=False) as live:

        def on_step(step: int, metrics: dict[str, float]) -> None:
            while history and history[-1]["step"] >= step:  # beyond the checkpoint at which the run went on
                history.pop()
            history.append({"step": step, **metrics})
            live.update(panel(history, config), refresh=True)

        yield on_step


def read_history(path: Path) -> list[dict[str, float]]:
    """The steps that a run has logged, up to a torn line; none where there is no such file."""
    history: list[dict[str, float]] = []
    with suppress(OSError, MalformedError):  # training itself says what is wrong with a folder
        for line in path.read_bytes().splitlines():
            values = decode(line, dict[str, float])
            if "step" not in values:
                break
            history.append(values)
    return history


def panel(history: Sequence[dict[str, float]], config: TrainConfig) -> "Panel":
    """The view after the last of these steps."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="cyan", no_wrap=True)
    recent = history[-NUM_BARS:]
    for curve in CURVES:
        values = [metrics[curve.metric] for metrics in recent if curve.metric in metrics]
        if values:
            table.add_row(curve.title, format(values[-1], curve.form), sparkline(values, curve.low, curve.high))
    step = int(history[-1]["step"]) if history else 0
    return Panel(
        table,
        title=Text(one_line(f"step {step} of {config.steps}: {config.out}")),
        subtitle=_pace(recent, config.steps - step, config.num_rollouts) if history else "no step yet",
        expand=False,
    )


def _pace(recent: Sequence[dict[str, float]], num_left: int, num_rollouts: int) -> str:
    """Tokens a second, and the time that is left."""
    timed = [metrics for metrics in recent[-NUM_TIMED:] if metrics.get("step_seconds", 0) > 0]
    if not timed:
        return ""
    seconds = sum(metrics["step_seconds"] for metrics in timed)
    tokens = num_rollouts * sum(metrics.get("sampled_tokens", 0) for metrics in timed)
    left = f", {_duration(num_left * seconds / len(timed))} left" if num_left > 0 else ""
    return f"{tokens / seconds:,.0f} tokens/s{left}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def sparkline(values: Sequence[float], low: float | None = None, high: float | None = None) -> str:
    """A bar for each value; a blank for what is no number."""
    known = [value for value in values if isfinite(value)] or [0.0]
    low = min(known) if low is None else low
    span = (max(known) if high is None else high) - low

    def bar(value: float) -> str:
        if not isfinite(value):
            return " "
        share = (value - low) / span if span > 0 else 0.0
        return BARS[min(max(int(share * len(BARS)), 0), len(BARS) - 1)]

    return "".join(map(bar, values))
