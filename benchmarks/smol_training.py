"""The trainings of `smol.py`: on a GPU in larger batches, and in a limited time as many steps as fit.

trainings = Trainings("SmolLM2.gguf", Path("runs/smol"), device="cuda", scale=1, quick=False)
trainings.warm(Limit(seconds=100, save_seconds=10))      # {"steps": 512, "selected": 512, "loss": 0.21, ...}
trainings.grpo("e1", None)
"""

import json
import math
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pace import NUM_TIMED, EnoughError, OnStep, ended_at, free_memory, measure_pace
from seeds import training_cost

from elastic_reasoning.miniature.make import recipe
from elastic_reasoning.tasks.loading import load_thoughts
from elastic_reasoning.training.checkpoints import Checkpoint, selected
from elastic_reasoning.training.clock import typical_step
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.sft.rows import write_rows
from elastic_reasoning.training.sft.warm_config import WarmStartConfig
from elastic_reasoning.training.sft.warm_start import warm_start
from elastic_reasoning.training.trl.grpo import train

TASK = "word_problems"
NUM_ROWS = 8200  # one pass of the warm start, with what it holds out
NUM_ROWS_ON_GPU = 16000
WARM_ON_GPU: dict[str, Any] = {
    "mixed_precision": "bf16",
    "batch_size": 64,
    "micro_batch_size": 64,
    "learning_rate": 1e-3,
}
GRPO_ON_GPU: dict[str, Any] = {
    "mixed_precision": "bf16",
    "prompts_per_step": 16,
    "micro_batch_size": 128,
    "learning_rate": 5e-5,
    "keeps_cache": True,
}
SAMPLES_ON_GPU = 16
"""Rollouts of a prompt."""
TRIAL_SHARE = 0.15
"""Of its time, in which its pace is measured."""
GRACE_SHARE = 0.2
"""Of its time, by which a training may be late: broken off, it would lose what came after its last checkpoint."""
MOST_WARMUP = 20
"""Steps in which its learning rate rises."""


@dataclass(frozen=True)
class Limit:
    """The time of a training.

    Attributes:
        seconds: for all of it.
        save_seconds: what a checkpoint and its validation are thought to take.
        extends: whether there may be more steps than planned.
    """

    seconds: float
    save_seconds: float
    extends: bool = True


@dataclass(frozen=True)
class Trainings:
    """What is trained, and where.

    Attributes:
        model: the GGUF file, or a folder.
        folder: for rows and checkpoints; what is there is gone on with.
        device: auto, cpu or cuda.
        scale: share of all steps and problems.
        quick: batches of a few rows.
    """

    model: str
    folder: Path
    device: str
    scale: float
    quick: bool

    def scaled(self, num: int) -> int:
        """So many at this scale, two at least."""
        return max(2, round(num * self.scale))

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes."""
        return self.device != "cpu" and torch.cuda.is_available()

    def model_of(self, name: str) -> str:
        """The folder of a trained model."""
        return str(self.folder / name / "model")

    def warm(self, limit: Limit | None) -> dict[str, Any]:
        """The warm start, on rows that are written before it."""
        config = self._scaled_steps(recipe(WarmStartConfig, "smol-warm-start"))
        num_rows = self.scaled(NUM_ROWS_ON_GPU if self.on_gpu else NUM_ROWS)
        data = self.folder / "rows.jsonl"
        if not data.exists():
            write_rows(data, load_thoughts(TASK, seed=0), num_rows)
        config = replace(
            config,
            model=self.model,
            data=str(data),
            out=str(self.folder / "warm"),
            num_lr_warmup_steps=self.scaled(config.num_lr_warmup_steps),
        )
        if self.on_gpu:
            config = replace(config, **WARM_ON_GPU)
        if self.quick:
            config = replace(config, batch_size=4, micro_batch_size=4, held_out_share=0.1)
        best, made = _trained("warm start", config, warm_start, limit, num_saves=1)  # its last model is its best
        loss = -math.log(best.accuracy)
        return {"num_rows": num_rows, "rows_per_step": config.batch_size, **made, "held_out_loss": loss}

    def grpo(self, name: str, limit: Limit | None) -> dict[str, Any]:
        """One of the trainings that begin with the warm-started model."""
        config = self._scaled_steps(recipe(TrainConfig, f"smol-{name}"))
        config = replace(
            config,
            model=self.model_of("warm"),
            out=str(self.folder / name),
            num_validation_problems=self.scaled(config.num_validation_problems),
        )
        if self.on_gpu:
            rollouts = replace(config.rollouts, samples_per_prompt=SAMPLES_ON_GPU)
            config = replace(config, **GRPO_ON_GPU, rollouts=rollouts)
        if self.quick:
            rollouts = replace(config.rollouts, samples_per_prompt=4)
            config = replace(config, prompts_per_step=2, micro_batch_size=4, rollouts=rollouts)
        best, made = _trained(name, config, train, limit, num_saves=2)
        cost = training_cost(self.folder / name, config.num_rollouts)
        cost["seconds_of_steps"] = cost.pop("seconds")
        return {"rollouts_per_step": config.num_rollouts, **made, **cost, "validation_accuracy": best.accuracy}

    def _scaled_steps(self, config: Any) -> Any:
        return replace(
            config, device=self.device, steps=self.scaled(config.steps), save_every=self.scaled(config.save_every)
        )


def _trained(
    stage: str, config: Any, training: Callable[..., Any], limit: Limit | None, num_saves: int
) -> tuple[Checkpoint, dict[str, Any]]:
    """Train: the checkpoint that was selected, and what it took.

    Args:
        stage: its name.
        config: the training; in a limited time, its steps are those that fit.
        training: `warm_start` or `train`.
        limit: of its time.
        num_saves: its checkpoints then.
    """
    made: dict[str, Any] = {}
    out = Path(config.out)
    if limit is None:
        training(config, shown(stage, config.steps))
    else:
        end = time.monotonic() + limit.seconds
        trial = out.with_name(f"{out.name}-trial")
        shutil.rmtree(trial, ignore_errors=True)
        short = replace(config, out=str(trial), steps=NUM_TIMED + 1, save_every=NUM_TIMED + 1)
        pace = measure_pace(lambda on_step: training(short, on_step), TRIAL_SHARE * limit.seconds)
        steps = pace.steps_in(end - time.monotonic(), num_saves, limit.save_seconds)
        steps = steps if limit.extends else min(steps, config.steps)
        print(
            f"{stage}: {steps} steps in {end - time.monotonic():.0f} s, of {pace.step_seconds:.3f} s each", flush=True
        )
        warmup = min(MOST_WARMUP, steps // 10)
        config = replace(config, steps=steps, save_every=math.ceil(steps / num_saves), num_lr_warmup_steps=warmup)
        began = time.monotonic()
        with suppress(EnoughError):
            last = end + GRACE_SHARE * limit.seconds
            training(config, ended_at(last, shown(stage, steps), lambda: selected(out) is not None))
        made = {**asdict(pace), "save_seconds": pace.save_seconds(time.monotonic() - began, steps, num_saves)}
    free_memory()
    best = selected(out)
    if best is None:
        raise SystemExit(f"{stage} ended without a checkpoint: remove {out}, and give it more time")
    steps_made = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return best, {"steps": config.steps, "selected": best.step, **made, "typical": typical_step(steps_made)}


def shown(what: str, num_steps: int) -> OnStep:
    """Says now and then how far a training is."""

    def show(step: int, metrics: dict[str, float]) -> None:
        if "loss" in metrics and (step % 5 == 0 or step == num_steps):
            values = " ".join(f"{name} {metrics[name]:.3g}" for name in ("loss", "reward") if name in metrics)
            print(f"{what}: step {step} of {num_steps}, {values}", flush=True)

    return show
