"""Training runs of seconds, and what is compared of them.

config = small_run(tmp_path / "run")
train(config)
outcome(config)      # parameters, metrics and selection, bit for bit
"""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from elastic_reasoning.training.config import TrainConfig

SMALL = TrainConfig(
    model="mini",
    budgets=("64+12",),
    steps=5,
    prompts_per_step=4,
    samples_per_prompt=4,
    micro_batch_size=16,
    num_problems=6,  # several passes through the problems
    save_every=2,
    num_validation_problems=16,
    max_rows=16,
)


def small_run(out: Path, **changes: Any) -> TrainConfig:
    """Five steps of 16 rollouts, with checkpoints after 2, 4 and 5."""
    return replace(SMALL, out=str(out), **changes)


def arguments(config: TrainConfig) -> list[str]:
    """The flags of `elastic train` for a run: one for each field that is not at its default."""
    return list(_flags(config, TrainConfig(), ""))


def _flags(config: Any, default: Any, prefix: str) -> Iterator[str]:
    for field in fields(default):
        value, usual = getattr(config, field.name), getattr(default, field.name)
        if is_dataclass(value):
            yield from _flags(value, usual, f"{prefix}{field.name}.")
        elif value != usual:
            yield f"--{prefix}{field.name}={value if isinstance(value, str) else json.dumps(value)}"


def steps_logged(out: str) -> list[dict[str, float]]:
    """The metrics of each step, without what a clock says."""
    lines = [json.loads(line) for line in Path(out, "metrics.jsonl").read_text().splitlines()]
    return [{n: v for n, v in line.items() if n != "step_time" and not n.endswith("_seconds")} for line in lines]


def outcome(config: TrainConfig) -> dict[str, Any]:
    """Every file of the last checkpoint and of the selected model that training decides, and the metrics."""
    files = {
        str(path.relative_to(config.out)): path.read_bytes()
        for path in sorted(Path(config.out).rglob("*"))
        if path.name in ("model.safetensors", "complete.json", "selection.json", "optimizer.pt", "scheduler.pt")
    }
    return {**files, "metrics": steps_logged(config.out)}
