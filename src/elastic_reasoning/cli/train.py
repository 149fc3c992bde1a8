"""`elastic train`: GRPO under budget-constrained rollouts."""

import json
import shlex
from dataclasses import dataclass

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.documented import documented
from elastic_reasoning.training.config import TrainConfig, check

SHOWN = ("reward", "thinking_tokens", "solution_tokens", "forced_rate", "cut_rate", "no_answer_rate", "step_time")

EXAMPLE = """
elastic train --recipe recipes/mini-e1.yaml --out runs/e1
elastic train --model mini --budget 16+20 --steps 50 --out runs/e1-16
elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" --model runs/e1/model
"""


@dataclass(frozen=True)
class TrainCommand(TrainConfig):
    """A run with what the command adds."""

    __doc__ = documented(TrainConfig, "json: print each step and the result as lines of JSON.")
    json: bool = False


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        TrainCommand,
        argv,
        command="train",
        about="Train with GRPO; every rollout is made under the budget. Started again, it goes on where it stopped.",
        example=EXAMPLE,
    )
    check(config)
    from elastic_reasoning.training.grpo import train

    with progress_bar("train") as (start, _):

        def on_step(step: int, metrics: dict[str, float]) -> None:
            start(step, config.steps)
            show_step(step, metrics, config.json)

        try:
            result = train(config, on_step)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"checkpoints are kept in {config.out}; to go on: {shlex.join(['elastic', 'train', *argv])}"
            ) from None
    if config.json:
        values = {"model": str(result.folder), "step": result.step, "validation_accuracy": result.accuracy}
        print(json.dumps({**values, "resumed_from": result.resumed_from}))
    else:
        print(
            f"selected step {result.step} (validation accuracy {result.accuracy:.1%}): {result.folder}\n"
            f'try it: elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" --model {result.folder}'
        )
    return 0


def show_step(step: int, metrics: dict[str, float], as_json: bool) -> None:
    """One line for a step."""
    if as_json:
        print(json.dumps({"step": step, **metrics}), flush=True)
        return
    values = "  ".join(f"{name} {metrics[name]:.3g}" for name in SHOWN if name in metrics)
    print(f"step {step:>4}  {values}", flush=True)
