"""The folder of a training run: which run it holds, and what was measured at each step.

    runs/train/config.json      the settings that decide the outcome
    runs/train/metrics.jsonl    one line for each step
    runs/train/train.lock       held by the process that trains

A run goes on only with the settings it began with.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elastic_reasoning.errors import TrainingError
from elastic_reasoning.files import take_lock, write_atomically
from elastic_reasoning.training.checkpoints import Checkpoint, repair
from elastic_reasoning.training.config import TrainConfig, decisive

OnStep = Callable[[int, dict[str, float]], None]
CONFIG = "config.json"
OURS = ("checkpoints", "model", "model.new", "model.old", "metrics.jsonl")


@contextmanager
def working_in(out: Path) -> Iterator[None]:
    """Make the folder, and be the only process that trains in it; the lock ends with the process, however it ends.

    Raises:
        TrainingError: another process has the lock, or the folder cannot be written.
    """
    with writing(out):
        try:
            lock = take_lock(out / "train.lock")
        except BlockingIOError:
            raise TrainingError(f"another process trains in {out}: wait for it, or give another out") from None
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """What is done within writes to the run's folder.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(
            f"cannot write {out}: {reason} (complete checkpoints are kept); give another out"
        ) from error


def find_run(out: Path, config: TrainConfig) -> Checkpoint | None:
    """The checkpoint at which this run goes on, after repairs; `None` for a run that has none yet.

    Raises:
        TrainingError: the folder holds another run, or something that is none.
    """
    path = out / CONFIG
    if not path.exists():
        for name in OURS:
            if (out / name).exists():
                raise TrainingError(f"{out} has a {name} but no {CONFIG}, so it is no training run: give another out")
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}; give another out") from error
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise TrainingError(f"{path} is damaged: give another out")
    defaults = _as_json(TrainConfig())  # what a run is silent about is a field that came later
    for name, wanted in _as_json(config).items():
        value = found.get(name, defaults[name])
        if value != wanted:
            raise TrainingError(
                f"{out} holds a run with {name} = {value!r}, not {wanted!r}: "
                "go on with the same settings, or give another out"
            )
    with writing(out):
        return repair(out)


def write_config(out: Path, config: TrainConfig) -> None:
    """Write down which run the folder holds, before anything else is written."""
    if not (out / CONFIG).exists():
        with writing(out):
            write_atomically(out / CONFIG, json.dumps(_as_json(config), indent=2))


def _as_json(config: TrainConfig) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(decisive(config)))
    return values


class Metrics:
    """One line of JSON for each step; what an interrupted run logged beyond its checkpoint is dropped."""

    def __init__(self, path: Path, resumed_from: int, on_step: OnStep) -> None:
        with writing(path.parent):
            write_atomically(path, "".join(line + "\n" for line in _lines_until(path, resumed_from)))
        self.path = path
        self.on_step = on_step

    def write(self, step: int, logs: dict[str, Any]) -> None:
        """Log the numbers of a step."""
        values = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}
        with writing(self.path.parent), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self.on_step(step, values)


def _lines_until(path: Path, step: int) -> Iterator[str]:
    """The lines of a JSONL file that belong to the steps up to one; a torn last line is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] > step:
                return
        except (ValueError, TypeError, KeyError):
            return
        yield line
