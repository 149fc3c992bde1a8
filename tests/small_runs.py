"""Training runs of seconds, and what is compared of them.

config = small_run(tmp_path / "run")
train(config)
outcome(config)      # parameters, metrics and selection, bit for bit
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from elastic_reasoning.training.config import TrainConfig

SMALL = TrainConfig(
    model="mini",
    budget="64+12",
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
    """The flags of `elastic train` for a run."""
    values = {name: getattr(config, name) for name in TrainConfig.__dataclass_fields__ if name != "options"}
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def steps_logged(out: str) -> list[dict[str, float]]:
    """The metrics of each step, without what a clock says."""
    lines = [json.loads(line) for line in Path(out, "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "step_time"} for line in lines]


def outcome(config: TrainConfig) -> dict[str, Any]:
    """Every file of the last checkpoint and of the selected model that training decides, and the metrics."""
    files = {
        str(path.relative_to(config.out)): path.read_bytes()
        for path in sorted(Path(config.out).rglob("*"))
        if path.name in ("model.safetensors", "complete.json", "selection.json", "optimizer.pt", "scheduler.pt")
    }
    return {**files, "metrics": steps_logged(config.out)}
