"""The trainings of `smol.py`: on a GPU in larger batches, and in a limited time as many steps as fit.

trainings = Trainings("SmolLM2.gguf", Path("runs/smol"), device="cuda", scale=1, quick=False)
trainings.warm(seconds=100)      # {"steps": 512, "selected": 512, "held_out_loss": 0.21, ...}
trainings.grpo("e1", seconds=None)
"""

import json
import math
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pace import NUM_TIMED, OnStep, Pace, ending_at, free_memory, measure_pace
from seeds import training_cost

from elastic_reasoning.engines.gguf import is_gguf
from elastic_reasoning.engines.loading import load_tokenizer, load_weights
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
NUM_ROWS_ON_GPU = 12000
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
    "learning_rate": 4e-5,
    "keeps_cache": True,
}
SAMPLES_ON_GPU = 16
"""Rollouts of a prompt."""
NUM_FEW_ROWS = 1000
"""Of the trial that tells how long a step takes."""
ROW_SECONDS = 0.0006
"""To encode a row; a trial has few."""
SAVE_SECONDS = 8.0
"""Of a last checkpoint with its validation, for which time is left."""
ENDED = {"steps": 1000, "save_every": 50, "lr_schedule": "constant", "num_lr_warmup_steps": 3}
"""Of a training that ends when its time is over: a rate that does not depend on the number of steps."""


@dataclass(frozen=True)
class Trainings:
    """What is trained, and where.

    Attributes:
        model: the GGUF file, or a folder.
        folder: for rows and checkpoints; what is there is gone on with.
        device: auto, cpu or cuda.
        scale: share of all steps and problems.
        quick: batches of a few rows, and no more steps than at this scale, however many fit.
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

    def base(self) -> str:
        """The model to begin with, unpacked once: a GGUF file takes seconds to read, several times for each load."""
        if not is_gguf(self.model):
            return self.model
        folder, unfinished = self.folder / "base", self.folder / "base.unfinished"
        if not folder.exists():
            load_weights(self.model, "float32").save_pretrained(unfinished)
            load_tokenizer(self.model).save_pretrained(unfinished)
            unfinished.rename(folder)
        return str(folder)

    def warm(self, seconds: float | None) -> dict[str, Any]:
        """The warm start, on rows that are written before it.

        Args:
            seconds: for all of it; `None` for all steps of the recipe.
        """
        began = time.monotonic()
        config = self._scaled_steps(recipe(WarmStartConfig, "smol-warm-start"))
        num_rows = self.scaled(NUM_ROWS_ON_GPU if self.on_gpu else NUM_ROWS)
        config = replace(
            config,
            model=self.base(),
            data=self._rows("rows", num_rows),
            out=str(self.folder / "warm"),
            num_lr_warmup_steps=self.scaled(config.num_lr_warmup_steps),
        )
        if self.on_gpu:
            config = replace(config, **WARM_ON_GPU)
        if self.quick:
            config = replace(config, batch_size=4, micro_batch_size=4, held_out_share=0.1)
        made: dict[str, Any] = {}
        if seconds is not None:
            pace = self._pace(config)
            beside = num_rows * ROW_SECONDS + SAVE_SECONDS
            fitting = pace.steps_in(began + seconds - time.monotonic() - beside)
            steps = min(fitting, config.steps) if self.quick else fitting
            config = replace(config, steps=steps, save_every=steps, num_lr_warmup_steps=min(20, steps // 10))
            made = asdict(pace)
        warm_start(config, shown("warm start", config.steps))
        best, found = _ended(config)
        loss = -math.log(best.accuracy)
        return {"num_rows": num_rows, "rows_per_step": config.batch_size, **made, **found, "held_out_loss": loss}

    def _pace(self, config: WarmStartConfig) -> Pace:
        """How long a step of a warm start takes, on rows of the same kind."""
        out = self.folder / "trial"
        shutil.rmtree(out, ignore_errors=True)
        steps = NUM_TIMED + 1
        short = replace(config, data=self._rows("few", NUM_FEW_ROWS), out=str(out), steps=steps, save_every=steps)
        return measure_pace(lambda on_step: warm_start(short, on_step))

    def _rows(self, name: str, num: int) -> str:
        """A file of so many rows of the warm start."""
        path = self.folder / f"{name}.jsonl"
        if not path.exists():
            write_rows(path, load_thoughts(TASK, seed=0), num)
        return str(path)

    def grpo(self, name: str, seconds: float | None) -> dict[str, Any]:
        """One of the trainings that begin with the warm-started model.

        Args:
            name: e1, grpo or random.
            seconds: for all of it; `None` for all steps of the recipe.
        """
        end = time.monotonic() + (math.inf if seconds is None else seconds - SAVE_SECONDS)
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
        elif seconds is not None:
            config = replace(config, **ENDED)
        train(config, shown(name, config.steps), collaborators=ending_at(end))
        best, made = _ended(config)
        cost = training_cost(self.folder / name, config.num_rollouts)
        cost["seconds_of_steps"] = cost.pop("seconds")
        return {"rollouts_per_step": config.num_rollouts, **made, **cost, "validation_accuracy": best.accuracy}

    def _scaled_steps(self, config: Any) -> Any:
        steps, save_every = self.scaled(config.steps), self.scaled(config.save_every)
        return replace(config, device=self.device, steps=steps, save_every=save_every)


def _ended(config: WarmStartConfig | TrainConfig) -> tuple[Checkpoint, dict[str, Any]]:
    """What a training has come to: the checkpoint that was selected, and what its steps took."""
    free_memory()
    out = Path(config.out)
    best = selected(out)
    if best is None:
        raise SystemExit(f"{out} has no checkpoint: remove it, and begin again")
    logged = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return best, {"steps": logged[-1]["step"], "selected": best.step, "typical": typical_step(logged)}


def shown(what: str, num_steps: int) -> OnStep:
    """Says now and then how far a training is."""

    def show(step: int, metrics: dict[str, float]) -> None:
        if "loss" in metrics and (step % 5 == 0 or step == num_steps):
            values = " ".join(f"{name} {metrics[name]:.3g}" for name in ("loss", "reward") if name in metrics)
            print(f"{what}: step {step} of {num_steps}, {values}", flush=True)

    return show
