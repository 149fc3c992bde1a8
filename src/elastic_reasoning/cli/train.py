"""`elastic train`: GRPO under budget-constrained rollouts."""

import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.live import live_view, read_history
from elastic_reasoning.cli.output import new_console, note, say, say_json
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.training.checks import check, check_inputs
from elastic_reasoning.training.clock import told, typical_step
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.folder import OnStep

SHOWN = (
    "reward",
    "accuracy",
    "thinking_tokens",
    "solution_tokens",
    "forced_rate",
    "failed_rate",
    "cut_rate",
    "no_answer_rate",
    "closed_again_rate",
    "kl",
    "step_seconds",
)

EXAMPLE = """
elastic train --recipe mini-e1 --out runs/e1
elastic train --dry-run mini-e1   (what it would do, without loading the model)
elastic train --model mini --budgets 16+20 --steps 50 --out runs/e1-16
accelerate launch --config_file "$(elastic recipes launch/ddp)" --num_processes 2 -m elastic_reasoning.cli.main train \
    mini-e1 --micro-batch-size 128 --device cpu --out runs/e1-2
elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" --model runs/e1/model
"""


@dataclass(frozen=True)
class TrainCommand(TrainConfig):
    """A run with what the command adds."""

    dry_run: bool = field(default=False, metadata=EXECUTION)
    """Print what the run is, needs and would download, and stop."""
    json: bool = field(default=False, metadata=EXECUTION)
    """Print each step and the result as lines of JSON; with dry_run, one object."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        TrainCommand,
        argv,
        command="train",
        about="Train with GRPO; every rollout is made under a budget. Started again, it goes on where it stopped.\n"
        "The recipe may also be given without its flag. On a terminal the curves of the run are shown.",
        example=EXAMPLE,
        positional="recipe",
    )
    from elastic_reasoning.training.processes import is_main_launched, num_launched

    check(config, num_launched())
    check_inputs(config)
    is_main = is_main_launched()
    if config.dry_run:
        if is_main:
            _show_plan(config, num_launched())
        return 0
    from elastic_reasoning.training.trl.grpo import train

    with _shown(config, is_main) as on_step:
        try:
            result = train(config, on_step, on_note=note)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"checkpoints are kept in {config.out}; to go on: {shlex.join(['elastic', 'train', *argv])}"
            ) from None
    if not is_main:
        return 0
    typical = typical_step(read_history(Path(config.out) / "metrics.jsonl"))
    if config.json:
        values = {"model": str(result.folder), "step": result.step, "validation_accuracy": result.accuracy}
        say_json({**values, "resumed_from": result.resumed_from, "typical_step": typical})
    else:
        if typical:
            say(told(typical))
        say(f"selected step {result.step} (validation accuracy {result.accuracy:.1%}): {result.folder}")
        if config.task.name == "arithmetic":
            say(f'try it: elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" --model {result.folder}')
    return 0


def _show_plan(config: TrainCommand, num_processes: int) -> None:
    from elastic_reasoning.training.dry_run.dry_run import resolve

    plan = resolve(config, num_processes)
    if config.json:
        say_json(plan.to_dict())
    else:
        say("\n".join(plan.lines()))


def _shown(config: TrainCommand, is_main: bool) -> AbstractContextManager[OnStep]:
    """What is called after a step: the live view on a terminal, elsewhere a line for each step of the main process."""

    if not is_main:
        return nullcontext(lambda step, metrics: None)
    console = new_console()
    return live_view(config, console) if console.is_terminal and not config.json else _lines(config)


@contextmanager
def _lines(config: TrainCommand) -> Iterator[OnStep]:
    with progress_bar("train") as (start, *_):

        def on_step(step: int, metrics: dict[str, float]) -> None:
            start(step, config.steps)
            show_step(step, metrics, config.json)

        yield on_step


def show_step(step: int, metrics: dict[str, float], as_json: bool) -> None:
    """One line for a step."""
    if as_json:
        say_json({"step": step, **metrics}, flush=True)
        return
    values = "  ".join(f"{name} {metrics[name]:.3g}" for name in SHOWN if name in metrics)
    say(f"step {step:>4}  {values}", flush=True)
