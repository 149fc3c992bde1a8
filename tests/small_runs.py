"""Training runs of seconds, and what is compared of them.

config = small_run(tmp_path / "run")
train(config)
outcome(config)      # parameters, metrics and selection, bit for bit
"""

import json
from pathlib import Path
from typing import Any

from configs import changed, train_config
from elastic_reasoning.core.configuration import values_of
from elastic_reasoning.training.config import TrainConfig

SMALL = train_config(
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
    return changed(SMALL, out=str(out), **changes)


def arguments(config: TrainConfig) -> list[str]:
    """The flags of `elastic train` for a run: one for each option that is not at its default."""
    usual = values_of(TrainConfig())
    return [
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in values_of(config).items()
        if value != usual[name]
    ]


def steps_logged(out: str) -> list[dict[str, float]]:
    """The metrics of each step, without what a clock says."""
    lines = [json.loads(line) for line in Path(out, "metrics.jsonl").read_text().splitlines()]
    return [{n: v for n, v in line.items() if not n.endswith("_seconds")} for line in lines]


def outcome(config: TrainConfig) -> dict[str, Any]:
    """Every file of the last checkpoint and of the selected model that training decides, and the metrics."""
    files = {
        str(path.relative_to(config.out)): path.read_bytes()
        for path in sorted(Path(config.out).rglob("*"))
        if path.name in ("model.safetensors", "complete.json", "selection.json", "optimizer.pt", "scheduler.pt")
    }
    return {**files, "metrics": steps_logged(config.out)}
