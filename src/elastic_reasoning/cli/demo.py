"""`elastic demo`: what the project is for, on one machine, in a minute."""

import json
import shlex
import time
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from elastic_reasoning.analysis.compare import paired_difference
from elastic_reasoning.analysis.metrics import Row, summarise
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.forced import FORCED_STYLE, has_colour, marked
from elastic_reasoning.cli.generate import STYLES
from elastic_reasoning.cli.output import new_console, say_json
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.cli.sweep import run_with_progress
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import read_records
from elastic_reasoning.training.config import TrainConfig

if TYPE_CHECKING:
    from rich.console import Console

Config = TypeVar("Config", SweepConfig, TrainConfig)

EXAMPLE = """
elastic demo
elastic demo --limit 128                  (a quarter of the problems)
elastic demo --train --out runs/demo-new  (make both models again first)
"""


@dataclass(frozen=True)
class DemoConfig:
    """How much to show."""

    out: str = "runs/demo"
    """Folder for records and report."""
    limit: int = 512
    """Test problems, at least 2."""
    train: bool = False
    """Make both models again from nothing, and compare them with the shipped ones."""
    json: bool = False
    """Print the table as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        DemoConfig,
        argv,
        command="demo",
        about="A tiny reasoning model, before and after E1 training, under separate budgets for thinking and for the "
        "solution, against plain truncation (vanilla) and budget forcing (S1). Writes a page of traces to read.",
        example=EXAMPLE,
    )
    if config.limit < 2:
        raise UsageError(f"limit {config.limit}: a standard error needs 2 problems or more")
    import torch

    from elastic_reasoning.report.report import write_report

    torch.set_num_threads(1)  # its matrices are too small to share, and the result does not depend on the cores
    console = new_console(stderr=config.json, soft_wrap=True, highlight=False)
    started = time.monotonic()
    command = shlex.join(["elastic", "demo", *argv])
    out = Path(config.out)
    made = _make(out / "models", console, command) if config.train else ()
    sweep = _recipe(SweepConfig, "demo")
    records_folder = out / ("records-made" if config.train else "records")
    sweep = replace(sweep, models=(*sweep.models, *made), limit=config.limit, out=str(records_folder))
    console.print(
        f"{config.limit} arithmetic problems, {len(sweep.strategies)} strategies, {len(sweep.budgets)} budgets, "
        f"{len(sweep.models)} models ...",
        style="dim",
    )
    run_with_progress(sweep, command)
    _, records = read_records(records_folder)
    rows = summarise(records)
    (trained_at,) = _recipe(TrainConfig, "mini-e1").rollouts.budgets
    _show_example(console, records, trained_at)
    _show_results(console, records, rows, trained_at)
    if made:
        _compare(console, rows, sweep.models)
    title = "A tiny reasoning model under token budgets, before and after E1 training"
    paths = write_report(records_folder, out, title, trained_at=trained_at)
    console.print(f"{time.monotonic() - started:.0f} seconds. Traces to read: {paths['page']}   figure: {paths['png']}")
    if config.json:
        from elastic_reasoning.report.table import rows_to_json

        say_json({"rows": json.loads(rows_to_json(rows))})
    return 0


def _recipe(config_class: type[Config], name: str) -> Config:
    """A shipped recipe."""
    return parse(config_class, ["--recipe", name], command="demo", about="", example="")


def _make(out: Path, console: "Console", command: str) -> tuple[str, ...]:
    """Both models from nothing; returns their folders."""
    import transformers

    from elastic_reasoning.miniature.make import make_pair

    transformers.utils.logging.disable_progress_bar()  # ours shows the steps
    with progress_bar("warm-up and E1 training") as (progress, *_):

        def show(what: str, step: int, num_steps: int) -> None:
            progress(step, num_steps)
            if step % 100 == 0 or step == num_steps:
                console.print(f"{what}: step {step} of {num_steps}", style="dim")

        try:
            return tuple(str(folder) for folder in make_pair(out, on_step=show))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"what was made is kept in {out}; to go on: {command}") from None


def _show_example(console: "Console", records: Records, trained_at: str) -> None:
    """One problem on which the budget cuts both models' thinking, and only the trained one answers well."""
    at_budget = list(
        records.under(
            [each for each in records.settings if (each.strategy, str(each.budget)) == ("elastic", trained_at)]
        )
    )
    base = {r.problem: r for r in at_budget if r.model == "mini"}
    pairs = [(base[r.problem], r) for r in at_budget if r.model == "mini-e1" and r.problem in base]
    telling = [(b, e) for b, e in pairs if e.correct and not b.correct and e.forced_close and b.forced_close]
    for record in telling[0] if telling else ():
        console.print(f"\n[bold]{record.model}[/] at {trained_at}: {'right' if record.correct else 'wrong'}")
        for part in record.segments:
            style = STYLES[Phase(part["phase"])] if part["sampled"] else FORCED_STYLE
            text = marked(part["text"], part["sampled"], has_colour(console))
            console.print(text, style=style, end=" ", markup=False)
        console.print()
    if telling and has_colour(console):
        console.print(f"[cyan]thinking[/]  [{FORCED_STYLE}]forced[/]  [bold green]solution[/]")
    console.print()


def _show_results(console: "Console", records: Records, rows: list[Row], trained_at: str) -> None:
    from elastic_reasoning.report.grid import accuracy_grid

    console.print(*accuracy_grid(rows, console.width), sep="\n")
    by_setting = {(row.model, row.strategy, row.budget): row for row in rows}
    trained = by_setting["mini-e1", "elastic", trained_at]
    for strategy in ("elastic", "s1", "vanilla"):
        other = by_setting["mini", strategy, trained_at]
        gap = paired_difference(
            records, Setting.of("mini", strategy, trained_at), Setting.of("mini-e1", "elastic", trained_at)
        )
        console.print(
            f"At {trained_at}, where it was trained: E1 {trained.accuracy:.1%}, the base with {strategy} "
            f"{other.accuracy:.1%} (difference {gap.difference:+.1%} ± {gap.se:.1%})"
        )
    base, e1 = (by_setting[model, "unconstrained", "inf+inf"] for model in ("mini", "mini-e1"))
    if base.mean_thinking_tokens and e1.mean_thinking_tokens:
        console.print(
            f"Without a limit: E1 thinks {e1.mean_thinking_tokens:.0f} tokens, "
            f"{1 - e1.mean_thinking_tokens / base.mean_thinking_tokens:.0%} fewer than the base's "
            f"{base.mean_thinking_tokens:.0f}, at {e1.accuracy:.1%} against {base.accuracy:.1%}"
        )


def _compare(console: "Console", rows: list[Row], models: tuple[str, ...]) -> None:
    """How far the tables of the new pair and of the shipped pair are apart, in standard errors of a difference."""
    by_setting = {(row.model, row.strategy, row.budget): row for row in rows}
    apart = []
    for shipped, made in zip(models[:2], models[2:], strict=True):
        for row in (row for row in rows if row.model == shipped):
            other = by_setting[made, row.strategy, row.budget]
            if row.accuracy is None or other.accuracy is None or row.accuracy_se is None or other.accuracy_se is None:
                continue
            se = sqrt(row.accuracy_se**2 + other.accuracy_se**2)
            difference = abs(row.accuracy - other.accuracy)
            apart.append(0.0 if difference == 0 else difference / se if se else float("inf"))
    within = sum(value <= 2 for value in apart)
    console.print(
        f"The models made now against the shipped ones: {within} of {len(apart)} accuracies are within two standard "
        f"errors, the farthest {max(apart):.1f} apart"
    )
