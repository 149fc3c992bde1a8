"""Where the time of a training step goes, on the miniature: what is neither generation nor optimisation is overhead.

    python benchmarks/step_time.py                # a table, and results/step_time.json; about a minute
    python benchmarks/step_time.py --steps 4      # a smoke test, nothing written

A run of recipes/mini-e1.yaml on one thread, with clocks around what torch and TRL do, from outside:

    generation      the engine makes the rollouts
    optimisation    forward, loss, backward, clipping, optimizer
    rewards         grading
    the rest        rows, TRL's batches and advantages, logging, whatever has no clock

Steps go from one optimizer step to the next; those with a checkpoint are left out, and the medians are over the
steps after a warm-up. At most `MOST` of a step may be outside generation and optimisation.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from provenance import provenance
from rich.console import Console
from rich.table import Table
from trl import GRPOTrainer

from elastic_reasoning.miniature.make import recipe
from elastic_reasoning.rollouts.scoring import Scorer
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train
from elastic_reasoning.training.trl.run import COLLABORATORS

RESULTS = Path(__file__).parent / "results" / "step_time.json"
NUM_STEPS, NUM_WARM_UP = 40, 5
MOST = 0.2
CLOCKS: dict[str, tuple[tuple[Any, str], ...]] = {
    "generation": (),  # the run is given a clocked collaborator
    "optimisation": (
        (GRPOTrainer, "compute_loss"),
        (Accelerator, "backward"),
        (Accelerator, "clip_grad_norm_"),
        (AcceleratedOptimizer, "step"),
    ),
    "rewards": ((Scorer, "score"),),
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    num_warm_up = min(NUM_WARM_UP, arguments.steps // 2)
    steps = timed_steps(arguments.steps)[num_warm_up:]
    seconds = {name: median(step[name] for step in steps) for name in ("step", *CLOCKS, "the rest")}
    shares = {name: median(step[name] / step["step"] for step in steps) for name in (*CLOCKS, "the rest")}
    overhead = median((step["rewards"] + step["the rest"]) / step["step"] for step in steps)
    show(seconds, shares, overhead)
    if arguments.steps >= NUM_STEPS:
        report = {**provenance(), "num_steps": len(steps), "seconds": seconds, "shares": shares, "overhead": overhead}
        RESULTS.write_text(json.dumps({**report, "most": MOST}, indent=1) + "\n", encoding="utf-8")
    return 0 if overhead <= MOST else 1


def timed_steps(num_steps: int) -> list[dict[str, float]]:
    """The seconds of each step and of its parts."""
    spent: dict[str, float] = defaultdict(float)
    steps: list[dict[str, float]] = []
    began = time.perf_counter()

    def on_step(number: int, metrics: dict[str, float]) -> None:
        nonlocal began
        now = time.perf_counter()
        step = {"step": now - began, **{name: spent[name] for name in CLOCKS}}
        steps.append({**step, "the rest": step["step"] - sum(spent.values())})
        spent.clear()
        began = time.perf_counter()

    with tempfile.TemporaryDirectory() as out, ExitStack() as clocks:
        for what, calls in CLOCKS.items():
            for owner, name in calls:
                clocks.enter_context(patch.object(owner, name, clocked(getattr(owner, name), what, spent)))
        config = replace(recipe(TrainConfig, "mini-e1"), out=out, device="cpu", steps=num_steps, save_every=num_steps)
        timed_rollouts = clocked(COLLABORATORS.roll_out, "generation", spent)
        train(config, on_step, collaborators=replace(COLLABORATORS, roll_out=timed_rollouts))
    return steps


def clocked(call: Callable[..., Any], what: str, spent: dict[str, float]) -> Callable[..., Any]:
    """A call whose seconds are added up."""

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            spent[what] += time.perf_counter() - began

    return timed


def show(seconds: dict[str, float], shares: dict[str, float], overhead: float) -> None:
    table = Table(title="a step of recipes/mini-e1.yaml, medians")
    for column in ("part", "seconds", "share"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for name, share in shares.items():
        table.add_row(name, f"{seconds[name]:.3f}", f"{share:.1%}")
    table.add_row("step", f"{seconds['step']:.3f}", "", style="bold")
    Console().print(table)
    reached = "at most" if overhead <= MOST else "NOT at most"
    print(f"outside generation and optimisation: {overhead:.1%} of a step, {reached} {MOST:.0%}")


if __name__ == "__main__":
    sys.exit(main())
