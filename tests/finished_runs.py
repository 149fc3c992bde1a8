"""A training folder as `elastic train` leaves it, without training.

run = write_run(tmp_path / "run", budgets=("8+20", "24+20"), plan="random")
"""

import json
import shutil
from pathlib import Path
from typing import Any

from configs import train_config
from elastic_reasoning.core.configuration import deciding
from elastic_reasoning.engines.loading import model_path
from elastic_reasoning.training.checkpoints import SELECTION
from elastic_reasoning.training.provenance import trained_for, write_trained_for


def write_run(out: Path, **changes: Any) -> Path:
    """A run of 20 steps from the shipped base, whose selected model is the shipped mini-e1."""
    config = train_config(steps=20, **changes)
    out.mkdir(parents=True)
    (out / "config.json").write_text(json.dumps(deciding(config)))
    (out / "metrics.jsonl").write_text("".join(json.dumps(_metrics(step)) + "\n" for step in range(1, 21)))
    shutil.copytree(model_path("mini-e1"), out / "model")
    (out / "model" / SELECTION).write_text(json.dumps({"step": 20, "accuracy": 0.75, "score": 0.75}))
    write_trained_for(out / "model", trained_for(config, 20, 0.75))
    return out


def _metrics(step: int) -> dict[str, float]:
    reward = step / 25
    return {
        "step": step,
        "reward": reward,
        "thinking_tokens": 60.0 - step,
        "solution_tokens": 4.0,
        "forced_rate": 1 - reward,
        "cut_rate": 0.1,
    }


def recipe_of(**changes: Any) -> dict[str, Any]:
    """The recipe of such a run, as it is read back."""
    values: dict[str, Any] = json.loads(json.dumps(deciding(train_config(steps=20, **changes))))
    return values
