"""`elastic warm-start`: teach a model to think between delimiters."""

import shlex
from dataclasses import dataclass, field

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import note, say, say_json
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.training.sft.warm_config import WarmStartConfig, check

SHOWN = ("loss", "mean_token_accuracy", "grad_norm", "held_out_loss", "held_out_token_accuracy")

EXAMPLE = """
elastic warm-start --model Qwen/Qwen2.5-Math-1.5B --data traces.jsonl --max_tokens 8192 --steps 500 --out runs/warm
elastic warm-start --recipe warm-start --data traces.jsonl
elastic train --model runs/warm/model --task deepscaler --budgets 1024+1024 --out runs/e1
"""


@dataclass(frozen=True)
class WarmStartCommand(WarmStartConfig):
    """A run with what the command adds."""

    json: bool = field(default=False, metadata=EXECUTION)
    """Print each step and the result as lines of JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        WarmStartCommand,
        argv,
        command="warm-start",
        about="Fine-tune a model on (problem, thinking, solution), so that it thinks between delimiters. "
        "Started again, it goes on where it stopped.",
        example=EXAMPLE,
    )
    from elastic_reasoning.training.processes import is_main_launched, num_launched

    check(config, num_launched())
    from elastic_reasoning.training.sft.warm_start import warm_start

    with progress_bar("warm-start") as (start, *_):

        def on_step(step: int, metrics: dict[str, float]) -> None:
            start(step, config.steps)
            _show(step, metrics, config.json)

        try:
            result = warm_start(config, on_step, on_note=note)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"checkpoints are kept in {config.out}; to go on: {shlex.join(['elastic', 'warm-start', *argv])}"
            ) from None
    if not is_main_launched():
        return 0
    if config.json:
        values = {"model": str(result.folder), "step": result.step, "held_out_loss": result.held_out_loss}
        say_json({**values, "resumed_from": result.resumed_from})
    else:
        say(
            f"selected step {result.step} (held-out loss {result.held_out_loss:.4f}): {result.folder}\n"
            f"next: elastic train --model {shlex.quote(str(result.folder))}"
        )
    return 0


def _show(step: int, metrics: dict[str, float], as_json: bool) -> None:
    """One line for a step, and one for what was measured after it."""
    if as_json:
        say_json({"step": step, **metrics}, flush=True)
        return
    values = "  ".join(f"{name} {metrics[name]:.4g}" for name in SHOWN if name in metrics)
    say(f"step {step:>4}  {values}", flush=True)
