"""The folder of a training run: which run it holds, and what was measured at each step.

    runs/train/config.json      the settings that decide the outcome
    runs/train/problems.digest  a hash of the problems it learns from and is validated on
    runs/train/metrics.jsonl    one line for each step
    runs/train/train.lock       held by the process that trains

A run goes on only with the settings it began with.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from safetensors import SafetensorError

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.records.files import take_lock, write_atomically
from elastic_reasoning.training.checkpoints import checkpoints, repair, selected
from elastic_reasoning.untrusted.json import Count, MalformedError, decode

OnStep = Callable[[int, dict[str, float]], None]
CONFIG = "config.json"
PROBLEMS = "problems.digest"
OF_WRITING = ("PytorchStreamWriter", "inline_container", "No space left", "I/O error")
"""Words of torch where it cannot write, which it tells in a RuntimeError."""
OURS = ("checkpoints", "model", "model.new", "model.old", "metrics.jsonl")


@contextmanager
def run_lock(out: Path) -> Iterator[None]:
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
        reason = error.strerror or str(error)[:300]  # shutil's own has no strerror, and names every file
        raise TrainingError(
            f"cannot write {out}: {reason} (complete checkpoints are kept); give another out"
        ) from error


@contextmanager
def saving(out: Path) -> Iterator[None]:
    """As `writing`, also for what torch and safetensors raise of their own where a disk is full.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        with writing(out):
            yield
    except (RuntimeError, SafetensorError) as error:
        if not isinstance(error, SafetensorError) and not any(word in str(error) for word in OF_WRITING):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"cannot write {out}: {reason} (complete checkpoints are kept); make room, or give another out"
        ) from error


def find_run(out: Path, wanted: Mapping[str, Any], defaults: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Make sure that a folder holds a run with these settings or none yet, and repair what a death left half-done.

    A run of which nothing is kept yet may be begun again with others: `write_config` writes them down.

    Args:
        out: the folder.
        wanted: what decides the run's outcome, by name.
        defaults: what a run is silent about if it is older than the setting.

    Raises:
        TrainingError: the folder holds another run, or something that is none.
    """
    path = out / CONFIG
    if not path.exists():
        for name in OURS:
            if (out / name).exists():
                raise TrainingError(f"{out} has a {name} but no {CONFIG}, so it is no training run: give another out")
        return
    try:
        found = decode(path.read_bytes(), dict[str, Any])
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}; give another out") from error
    except MalformedError:
        raise TrainingError(f"{path} is damaged: give another out") from None
    held = _as_json(defaults) | found
    differing = [(name, value) for name, value in _as_json(wanted).items() if held.get(name) != value]
    if differing and _has_results(out):
        name, value = differing[0]
        raise TrainingError(
            f"{out} holds a run with {name} = {held.get(name)!r}, not {value!r}: "
            "go on with the same settings, or give another out"
        )
    with writing(out):
        repair(out)


def _has_results(out: Path) -> bool:
    """Whether there is a checkpoint, or a selected model that outlived it."""
    return bool(checkpoints(out)) or selected(out) is not None


def write_config(out: Path, wanted: Mapping[str, Any]) -> None:
    """Write down which run the folder holds, before anything else is written."""
    with writing(out):
        write_atomically(out / CONFIG, json.dumps(_as_json(wanted), indent=2))


def check_same_problems(out: Path, digest: str) -> None:
    """Keep a run to its problems, whatever file or hub they are read from.

    Args:
        out: the run's folder.
        digest: of the problems.

    Raises:
        TrainingError: it has learnt from others.
    """
    path = out / PROBLEMS
    with writing(out):
        if path.exists() and path.read_bytes() != digest.encode() and _has_results(out):
            raise TrainingError(f"{out} holds a run on other problems: give it the same ones, or give another out")
        write_atomically(path, digest)


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they come back from a file."""
    same: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return same


class _Step(Struct):
    step: Count


class Metrics:
    """One line of JSON for each step; what an interrupted run logged beyond its checkpoint is dropped.

    Only the main process of several writes and tells.
    """

    def __init__(self, path: Path, resumed_from: int, on_step: OnStep, main: bool = True) -> None:
        self.path = path
        self.on_step = on_step
        self.main = main
        if main:
            with writing(path.parent):
                write_atomically(path, "".join(line + "\n" for line in _lines_until(path, resumed_from)))

    def write(self, step: int, logs: dict[str, Any]) -> None:
        """Log the numbers of a step."""
        if not self.main:
            return
        values = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}
        with writing(self.path.parent), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self.on_step(step, values)


def _lines_until(path: Path, step: int) -> Iterator[str]:
    """The lines of a JSONL file that belong to the steps up to one; a torn last line is left out."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            if decode(line, _Step).step > step:
                return
        except MalformedError:
            return
        yield line.decode()
