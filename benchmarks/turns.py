"""Sides that take turns, and the ratios of their speeds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi, sqrt
from statistics import median, stdev

from budget_load import Side, check, new_requests
from rich.console import Console
from rich.table import Table

Figures = Mapping[str, tuple[str, str]]
"""(name) to the side that is ours and the other."""
Targets = Mapping[tuple[str, str], float]
"""(kind of thinking, name) to the ratio that is wanted."""


@dataclass(frozen=True)
class Figure:
    """One line of the table: tokens a second of both sides, and their ratio; what has no target is only told.

    Attributes:
        error: standard error of the ratio, which is a median, as if the ratios of repeats were normally distributed.
    """

    thinking: str
    name: str
    ours: float
    theirs: float
    value: float
    error: float
    target: float | None
    reached: bool


def measure(
    sides: dict[str, Side],
    figures: Figures,
    targets: Targets,
    clock: Callable[[], float],
    num_prompts: int,
    num_repeats: int,
    note: Callable[[str], None],
    without: tuple[str, ...],
) -> list[Figure]:
    """All figures of these sides, of which those `without` a budget write no delimiter."""
    names, found = list(sides), list[Figure]()
    for name in names:  # the first requests are slow
        sides[name](new_requests("mixed", num_prompts, seed=0))
    for thinking in ("mixed", "fixed"):
        speeds: dict[str, list[float]] = {name: [] for name in names}
        for repeat in range(num_repeats):
            requests = new_requests(thinking, num_prompts, seed=1 + repeat)
            first = repeat % len(names)
            turns = names[first:] + names[:first]
            for name in turns if repeat % 2 else reversed(turns):
                start = clock()
                answers = sides[name](requests)
                seconds = clock() - start
                speed = check(requests, answers, budgeted=name not in without) / seconds
                speeds[name].append(speed)
                note(f"{thinking}, repeat {repeat + 1} of {num_repeats}, {name}: {speed:,.0f} tokens/s")
        found += [
            compared(thinking, name, speeds[ours], speeds[theirs], targets)
            for name, (ours, theirs) in figures.items()
            if ours in speeds and theirs in speeds
        ]
    return found


def compared(thinking: str, name: str, ours: list[float], theirs: list[float], targets: Targets) -> Figure:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio, target = median(ratios), targets.get((thinking, name))
    error = sqrt(pi / 2 / len(ratios)) * (stdev(ratios) if len(ratios) > 1 else float("inf"))
    is_reached = target is None or ratio >= target
    return Figure(thinking, name, median(ours), median(theirs), ratio, error, target, is_reached)


def show(figures: list[Figure], console: Console) -> None:
    table = Table("thinking", "figure")
    for column in ("ours, tokens/s", "theirs, tokens/s", "ratio", "target", ""):
        table.add_column(column, justify="right")
    for figure in figures:
        speeds = (f"{figure.ours:,.0f}", f"{figure.theirs:,.0f}")
        target, told = "", ""
        if figure.target is not None:
            target, told = f">= {figure.target:g}", "reached" if figure.reached else "missed"
        table.add_row(figure.thinking, figure.name, *speeds, f"{figure.value:.2f} ± {figure.error:.2f}", target, told)
    console.print(table)
