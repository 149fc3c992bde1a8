"""A real model, SmolLM2-135M-Instruct, learns to think, and then to think within a budget: how good does it get?

    python benchmarks/smol.py                                # a night on two cores; killed, it goes on where it stopped
    python benchmarks/smol.py --device cuda --out gpu.json   # minutes on a GPU
    python benchmarks/smol.py --scale 0.1 --folder runs/trial --out trial.json    # a tenth of all steps and problems
    python benchmarks/smol.py --quick                        # the path alone, minutes on two cores

The stages run the recipes named smol: a warm start on thoughts about generated word problems, E1 at one budget, the
same GRPO without a budget and with random ones on about as many sampled tokens. All are measured over budgets, on
held-out problems and on MATH500 as it is. What is known is written after each stage, to results/smol.json unless it is
told otherwise.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from provenance import provenance
from real_model import PROBLEMS
from seeds import training_cost

from elastic_reasoning.analysis.metrics import paired_difference, summarise
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.miniature.make import recipe
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_thoughts
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.sft.rows import write_rows
from elastic_reasoning.training.sft.warm_config import WarmStartConfig
from elastic_reasoning.training.sft.warm_start import warm_start
from elastic_reasoning.training.trl.grpo import train

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "smol.json"
TASK = "word_problems"
NUM_ROWS = 8200  # one pass of the warm start, with what it holds out
NUM_MATH500 = 50
TRAININGS = ("e1", "grpo", "random")
MODELS = ("warm", *TRAININGS)
BEFORE = ("0+256", "64+192")
"""Budgets of the model before its warm start: an answer in its own way, and a thought that it was never taught."""


@dataclass(frozen=True)
class Run:
    """What a call was told.

    Attributes:
        model: the GGUF file, or a folder.
        folder: for rows, checkpoints and records; what is there is gone on with.
        device: auto, cpu or cuda.
        scale: share of all steps and problems.
        quick: batches of a few rows.
        math500: its rows.
    """

    model: str
    folder: Path
    device: str
    scale: float
    quick: bool
    math500: Path

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

    def warm(self) -> dict[str, Any]:
        """The warm start, on rows that are written before it."""
        num_rows = self.scaled(NUM_ROWS)
        data = self.folder / "rows.jsonl"
        if not data.exists():
            write_rows(data, load_thoughts(TASK, seed=0), num_rows)
        config = recipe(WarmStartConfig, "smol-warm-start")
        config = replace(
            config,
            model=self.model,
            data=str(data),
            out=str(self.folder / "warm"),
            device=self.device,
            steps=self.scaled(config.steps),
            save_every=self.scaled(config.save_every),
            num_lr_warmup_steps=self.scaled(config.num_lr_warmup_steps),
        )
        if self.on_gpu:
            config = replace(config, mixed_precision="bf16", micro_batch_size=config.batch_size)
        if self.quick:
            config = replace(config, batch_size=4, micro_batch_size=4, held_out_share=0.1)
        result = warm_start(config, shown("warm start", config.steps))
        return {"num_rows": num_rows, "steps": config.steps, "selected": result.step, "loss": result.held_out_loss}

    def grpo(self, name: str) -> dict[str, Any]:
        """One of the trainings that begin with the warm-started model."""
        config = recipe(TrainConfig, f"smol-{name}")
        config = replace(
            config,
            model=self.model_of("warm"),
            out=str(self.folder / name),
            device=self.device,
            steps=self.scaled(config.steps),
            save_every=self.scaled(config.save_every),
            num_validation_problems=self.scaled(config.num_validation_problems),
        )
        if self.on_gpu:
            config = replace(config, mixed_precision="bf16", micro_batch_size=config.num_rollouts)
        if self.quick:
            rollouts = replace(config.rollouts, samples_per_prompt=4)
            config = replace(config, prompts_per_step=2, micro_batch_size=4, rollouts=rollouts)
        result = train(config, shown(name, config.steps))
        cost = training_cost(Path(config.out), config.num_rollouts)
        return {**cost, "selected": result.step, "validation_accuracy": result.accuracy}

    def measure(self, out: str, models: Sequence[str], **changes: Any) -> dict[str, Any]:
        """A sweep of the recipe, with other settings where they are given."""
        config = recipe(SweepConfig, "smol-eval")
        engine = replace(config.engine, device=self.device, max_rows=256 if self.on_gpu else config.engine.max_rows)
        budgets = config.budgets[:: 3 if self.quick else 1]
        settings = {"limit": self.scaled(config.limit or 0), "budgets": budgets, "engine": engine, **changes}
        found = sweep(replace(config, models=tuple(models), out=str(self.folder / out), **settings))
        return {"num_records": found.num_records, "num_errors": found.num_errors}

    def before(self) -> dict[str, Any]:
        """The model as it came: its delimiters are plain text."""
        engine = EngineConfig(device=self.device, max_rows=256 if self.on_gpu else 64)
        engine = replace(engine, chat=replace(engine.chat, opening="<think>", closing="</think>"))
        changes: dict[str, Any] = {"strategies": ("elastic",), "budgets": BEFORE, "options": {}}
        return self.measure("before", [self.model], engine=engine, **changes)

    def mathematics(self, models: Sequence[str]) -> dict[str, Any]:
        """MATH500 as it is, which none of them was taught."""
        if not self.math500.exists():
            return {"not run": f"no rows of MATH500 at {self.math500}: give --math500 FILE"}
        task = TaskConfig("math500", data=str(self.math500))
        return self.measure("math500", models, task=task, limit=self.scaled(NUM_MATH500))

    def stages(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """What is done, in order of worth: each goes on where it stopped, and is soon over where it has been done."""
        first, every = [[self.model_of(name) for name in names] for names in (MODELS[:2], MODELS)]
        return {
            "warm start": self.warm,
            "e1": lambda: self.grpo("e1"),
            "evaluation": lambda: self.measure("records", first),
            "math500": lambda: self.mathematics(first),
            "before": self.before,
            "grpo": lambda: self.grpo("grpo"),
            "random": lambda: self.grpo("random"),
            "evaluation of all": lambda: self.measure("records", every),
            "math500 of all": lambda: self.mathematics(every),
        }

    def records(self, out: str) -> list[Record]:
        """What was measured, by the names of models that the tables use."""
        if not (self.folder / out / "manifest.json").exists():
            return []
        names = {self.model: "before", **{self.model_of(name): name for name in MODELS}}
        return [replace(record, model=names[record.model]) for record in read_records(self.folder / out)[1]]


def shown(what: str, num_steps: int) -> Callable[[int, dict[str, float]], None]:
    """Says now and then how far a training is."""

    def show(step: int, metrics: dict[str, float]) -> None:
        if "loss" in metrics and (step % 5 == 0 or step == num_steps):
            values = " ".join(f"{name} {metrics[name]:.3g}" for name in ("loss", "reward") if name in metrics)
            print(f"{what}: step {step} of {num_steps}, {values}", flush=True)

    return show


def report_of(run: Run, stages: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is known so far."""
    device = torch.cuda.get_device_name() if run.on_gpu else "CPU"
    trained_at = str(recipe(TrainConfig, "smol-e1").rollouts.budgets[0])
    records = run.records("records")
    return {
        **provenance(),
        "device": device,
        "model": Path(run.model).name,
        "scale": run.scale,
        "quick": run.quick,
        "trained_at": trained_at,
        "stages": stages,
        "rows": rows_of(records),
        "before": rows_of(run.records("before")),
        "math500": rows_of(run.records("math500")),
        "gains": gains_of(records),
    }


def rows_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Each setting, without what the tables do not need."""
    return [asdict(replace(row, samples=None)) for row in summarise(records)] if records else []


def gains_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What E1 gains over the warm-started model at each budget, paired by problem."""
    settings = {(record.model, record.budget) for record in records if record.strategy == "elastic"}
    gains = []
    for budget in sorted({budget for _, budget in settings}, key=lambda text: int(text.split("+")[0])):
        if ("e1", budget) in settings and ("warm", budget) in settings:
            a, b = (Setting.of(name, "elastic", budget) for name in ("warm", "e1"))
            gains.append({"budget": budget, **asdict(paired_difference(records, a, b))})
    return gains


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=recipe(WarmStartConfig, "smol-warm-start").model, help="the GGUF file")
    parser.add_argument("--folder", type=Path, help="for what it makes; runs/smol, or runs/smol-quick")
    parser.add_argument(
        "--out", type=Path, help="the JSON; results/smol.json, or in the folder with --quick or --scale"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--scale", type=float, default=1.0, help="share of all steps and problems")
    parser.add_argument("--quick", action="store_true", help="the path alone, at a hundredth, in batches of a few rows")
    parser.add_argument("--math500", type=Path, default=PROBLEMS, help="its rows, a JSONL")
    parser.add_argument("--stages", help="some of them, with commas")
    chosen = parser.parse_args(argv)
    scale = 0.01 if chosen.quick else chosen.scale
    folder = chosen.folder or Path("runs/smol-quick" if chosen.quick else "runs/smol")
    run = Run(chosen.model, folder, chosen.device, scale, chosen.quick, chosen.math500)
    out = chosen.out or (RESULTS if scale == 1 else folder / "smol.json")
    stages = run.stages()
    if unknown := {*(chosen.stages or "").split(",")} - {"", *stages}:
        parser.error(f"--stages {', '.join(unknown)}: known are {', '.join(stages)}")
    if not Path(chosen.model).exists():
        parser.error(
            f"no model at {chosen.model}: scripts/real.sh .cache/real fetches it, and where there is no network, "
            "scripts/file_parts.py joins its parts"
        )
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "stages.json"  # beside what they made: seconds are those of the call that first ended a stage
    known = json.loads(done.read_text(encoding="utf-8")) if done.exists() else {}
    for name, stage in stages.items():
        if chosen.stages and name not in chosen.stages.split(","):
            continue
        start = time.monotonic()
        found = stage()
        seconds = round(time.monotonic() - start, 1)
        known[name] = {"seconds": known.get(name, {}).get("seconds", seconds), **found}
        done.write_text(json.dumps(known), encoding="utf-8")
        out.write_text(json.dumps(report_of(run, known), indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {json.dumps(known[name])}", flush=True)
    print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
