"""Where the time of a training step goes, on the miniature: what is neither generation nor optimisation is overhead.

    python benchmarks/step_time.py                # a table, and results/step_time.json; about a minute
    python benchmarks/step_time.py --steps 4      # a smoke test, nothing written

A run of recipes/mini-e1.yaml on one thread, whose own log says what each step took; the phases are those of
`elastic_reasoning.training.clock`. Medians are over the steps after a warm-up. At most `MOST` of a step may be outside
generation, loss and optimiser.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.miniature.make import recipe
from elastic_reasoning.training.clock import PHASES
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train

RESULTS = Path(__file__).parent / "results" / "step_time.json"
NUM_STEPS, NUM_WARM_UP = 40, 5
MOST = 0.2


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    steps = timed_steps(arguments.steps)[min(NUM_WARM_UP, arguments.steps // 2) :]
    seconds = {name: median(step[f"{name}_seconds"] for step in steps) for name in ("step", *PHASES)}
    shares = {name: median(step[f"{name}_seconds"] / step["step_seconds"] for step in steps) for name in PHASES}
    overhead = median((step["scoring_seconds"] + step["idle_seconds"]) / step["step_seconds"] for step in steps)
    show(seconds, shares, overhead)
    if arguments.steps >= NUM_STEPS:
        report = {**provenance(), "num_steps": len(steps), "seconds": seconds, "shares": shares, "overhead": overhead}
        RESULTS.write_text(json.dumps({**report, "most": MOST}, indent=1) + "\n", encoding="utf-8")
    return 0 if overhead <= MOST else 1


def timed_steps(num_steps: int) -> list[dict[str, float]]:
    """What the run logs of each step."""
    steps: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as out:
        config = replace(recipe(TrainConfig, "mini-e1"), out=out, device="cpu", steps=num_steps, save_every=num_steps)
        train(config, lambda step, metrics: steps.append(metrics))
    return steps


def show(seconds: dict[str, float], shares: dict[str, float], overhead: float) -> None:
    table = Table(title="a step of recipes/mini-e1.yaml, medians")
    for column in ("phase", "seconds", "share"):
        table.add_column(column, justify="left" if column == "phase" else "right")
    for name, share in shares.items():
        table.add_row(name, f"{seconds[name]:.3f}", f"{share:.1%}")
    table.add_row("step", f"{seconds['step']:.3f}", "", style="bold")
    Console().print(table)
    reached = "at most" if overhead <= MOST else "NOT at most"
    print(f"outside generation, loss and optimiser: {overhead:.1%} of a step, {reached} {MOST:.0%}")


if __name__ == "__main__":
    sys.exit(main())
