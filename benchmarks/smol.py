"""A real model, SmolLM2-135M-Instruct, learns to think, and then to think within a budget: how good does it get?

    python benchmarks/smol.py                                # a night on two cores; killed, it goes on where it stopped
    python benchmarks/smol.py --device cuda --minutes 6 --out gpu.json            # on a GPU, in 6 minutes
    python benchmarks/smol.py --scale 0.1 --folder runs/trial --out trial.json    # a tenth of all steps and problems
    python benchmarks/smol.py --quick                        # the path alone, minutes on two cores

The stages run the recipes named smol: a warm start on thoughts about generated word problems, E1 at one budget, the
same GRPO without a budget and with random ones on about as many sampled tokens. All are measured over budgets, on
held-out problems and on MATH500 as it is. What is known is written after each stage, to results/smol.json unless it is
told otherwise.

In a limited time each training takes its share of what is left when it begins: of the warm start a few steps are timed,
and as many are made as fit; E1 ends when its time is over. What is measured last is left out where time runs out, and
what has been done is not done again.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from provenance import provenance
from real_model import PROBLEMS
from smol_training import Trainings

from elastic_reasoning.analysis.compare import paired_difference
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.miniature.make import recipe
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.sft.warm_config import WarmStartConfig

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "smol.json"
NUM_MATH500 = 50
TRAININGS = ("e1", "grpo", "random")
MODELS = ("warm", *TRAININGS)
BEFORE = ("0+256", "64+192")
"""Budgets of the model before its warm start: an answer in its own way, and a thought that it was never taught."""
IN_TIME = ("warm start", "e1", "evaluation", "other strategies", "before", "math500")
"""What is done where time is limited."""
SHARES = {"warm start": 0.36, "e1": 0.66}
"""Of the time that is left when a training begins."""
LEAST_SECONDS = {"other strategies": 15.0, "before": 10.0, "math500": 15.0}
"""With less left, a measurement is not begun."""
QUICK_SCALE = 0.01
WHOLE_MINUTES = 3.5
"""In less than that there are fewer rows and problems."""


@dataclass(frozen=True)
class Run:
    """What a call was told.

    Attributes:
        trainings: the models, and where they are.
        math500: its rows.
        deadline: when all is to be over, on `time.monotonic`; `None` for never.
        known: what became of each stage that is over.
    """

    trainings: Trainings
    math500: Path
    deadline: float | None
    known: dict[str, dict[str, Any]]

    def warm(self) -> dict[str, Any]:
        """The warm start."""
        self.trainings.base()
        return self.trainings.warm(self._seconds("warm start"))

    def grpo(self, name: str) -> dict[str, Any]:
        """One of the trainings that begin with the warm-started model."""
        return self.trainings.grpo(name, self._seconds(name))

    def _seconds(self, stage: str) -> float | None:
        """For a training, where time is limited."""
        return None if self.deadline is None else SHARES[stage] * (self.deadline - time.monotonic())

    def measure(self, out: str, models: Sequence[str], **changes: Any) -> dict[str, Any]:
        """A sweep of the recipe, with other settings where they are given."""
        config, made = recipe(SweepConfig, "smol-eval"), self.trainings
        engine = replace(config.engine, device=made.device, max_rows=256 if made.on_gpu else config.engine.max_rows)
        budgets = config.budgets[:: 3 if made.quick else 1]
        settings = {"limit": made.scaled(config.limit or 0), "budgets": budgets, "engine": engine, **changes}
        found = sweep(replace(config, models=tuple(models), out=str(made.folder / out), **settings))
        return {"num_records": found.num_records, "num_errors": found.num_errors}

    def before(self) -> dict[str, Any]:
        """The model as it came: its delimiters are plain text."""
        engine = EngineConfig(device=self.trainings.device, max_rows=256 if self.trainings.on_gpu else 64)
        engine = replace(engine, chat=replace(engine.chat, opening="<think>", closing="</think>"))
        changes: dict[str, Any] = {"strategies": ("elastic",), "options": {}, "budgets": BEFORE}
        return self.measure("before", [self.trainings.base()], engine=engine, **changes)

    def mathematics(self, models: Sequence[str]) -> dict[str, Any]:
        """MATH500 as it is, which none of them was taught."""
        if not self.math500.exists():
            return {"not run": f"no rows of MATH500 at {self.math500}: give --math500 FILE"}
        task = TaskConfig("math500", data=str(self.math500))
        return self.measure("math500", models, task=task, limit=self.trainings.scaled(NUM_MATH500))

    def stages(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """What is done, in order of worth: each goes on where it stopped, and is soon over where it has been done."""
        alone: dict[str, Any] = {"strategies": ("elastic",), "options": {}}  # what counts most
        first, every = [[self.trainings.model_of(name) for name in names] for names in (MODELS[:2], MODELS)]
        return {
            "warm start": self.warm,
            "e1": lambda: self.grpo("e1"),
            "evaluation": lambda: self.measure("records", first, **({} if self.deadline is None else alone)),
            "other strategies": lambda: self.measure("records", first),
            "before": self.before,
            "math500": lambda: self.mathematics(first),
            "grpo": lambda: self.grpo("grpo"),
            "random": lambda: self.grpo("random"),
            "evaluation of all": lambda: self.measure("records", every),
            "math500 of all": lambda: self.mathematics(every),
        }

    def records(self, out: str) -> list[Record]:
        """What was measured, by the names of models that the tables use."""
        made = self.trainings
        if not (made.folder / out / "manifest.json").exists():
            return []
        names = {made.base(): "before", **{made.model_of(name): name for name in MODELS}}
        return [replace(record, model=names[record.model]) for record in read_records(made.folder / out)[1]]


def report_of(run: Run) -> dict[str, Any]:
    """What is known so far."""
    made = run.trainings
    trained_at = str(recipe(TrainConfig, "smol-e1").rollouts.budgets[0])
    records = run.records("records")
    return {
        **provenance(),
        "device": torch.cuda.get_device_name() if made.on_gpu else "CPU",
        "model": Path(made.model).name,
        "scale": made.scale,
        "quick": made.quick,
        "trained_at": trained_at,
        "stages": run.known,
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


def write(run: Run, out: Path) -> None:
    """Write down what is known so far."""
    out.write_text(json.dumps(report_of(run), indent=1) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=recipe(WarmStartConfig, "smol-warm-start").model, help="the GGUF file")
    parser.add_argument("--folder", type=Path, help="for what it makes; runs/smol, or runs/smol-quick")
    parser.add_argument(
        "--out", type=Path, help="the JSON; results/smol.json, or in the folder with --quick, --scale or --minutes"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--scale", type=float, default=1.0, help="share of all steps and problems")
    parser.add_argument("--quick", action="store_true", help="the path alone, at a hundredth, in batches of a few rows")
    parser.add_argument("--math500", type=Path, default=PROBLEMS, help="its rows, a JSONL")
    parser.add_argument("--stages", help="some of them, with commas")
    parser.add_argument("--minutes", type=float, help=f"for all of it, which then is {', '.join(IN_TIME)}")
    chosen = parser.parse_args(argv)
    if not Path(chosen.model).exists():
        parser.error(
            f"no model at {chosen.model}: scripts/real.sh .cache/real fetches it, and where there is no network, "
            "scripts/file_parts.py joins its parts"
        )
    scale, deadline = QUICK_SCALE if chosen.quick else chosen.scale, None
    if chosen.minutes is not None:
        scale = min(scale, max(QUICK_SCALE, chosen.minutes / WHOLE_MINUTES))
        deadline = time.monotonic() + 60 * chosen.minutes
    folder = chosen.folder or Path("runs/smol-quick" if chosen.quick else "runs/smol")
    done = folder / "stages.json"  # beside what they made: seconds are those of the call that first ended a stage
    known = json.loads(done.read_text(encoding="utf-8")) if done.exists() else {}
    trainings = Trainings(chosen.model, folder, chosen.device, scale, chosen.quick)
    run = Run(trainings, chosen.math500, deadline, known)
    out = chosen.out or (RESULTS if scale == 1 and deadline is None else folder / "smol.json")
    stages = {name: stage for name, stage in run.stages().items() if deadline is None or name in IN_TIME}
    if unknown := {*(chosen.stages or "").split(",")} - {"", *stages}:
        parser.error(f"--stages {', '.join(unknown)}: known are {', '.join(stages)}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, stage in stages.items():
        over = name in known and "not run" not in known[name]
        if (over and deadline is not None) or (chosen.stages and name not in chosen.stages.split(",")):
            continue
        start = time.monotonic()
        late = deadline is not None and deadline - start < LEAST_SECONDS.get(name, -math.inf)
        found = {"not run": "its time was over"} if late else stage()
        seconds = known[name]["seconds"] if over else round(time.monotonic() - start, 1)
        known[name] = {"seconds": seconds, **found}
        done.write_text(json.dumps(known), encoding="utf-8")
        write(run, out)
        print(f"{name}: {json.dumps(known[name])}", flush=True)
    write(run, out)  # where all had been done before, too
    print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
