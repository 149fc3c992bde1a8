"""Checkpoints that count only when they are whole, and the one that is selected on validation.

    runs/train/checkpoints/checkpoint-20/...     written by the trainer; counts once complete.json is in it
    runs/train/model/                            the best checkpoint's weights, replaced as a whole

A process may be killed between any two lines of this module; `repair` brings the folder to the state before or after.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from elastic_reasoning.records.files import sync, write_atomically
from elastic_reasoning.untrusted.json import Count, MalformedError, decode

MARK = "complete.json"
SELECTION = "selection.json"
NOT_OF_THE_MODEL = (
    "optimizer*",
    "scheduler.pt",
    "rng_state*.pth",
    "trainer_state.json",
    "training_args.bin",
    "pytorch_model_fsdp*",
    "global_step*",  # DeepSpeed's shards, and what goes with them
    "latest",
    "zero_to_fp32.py",
    MARK,
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        folder: where it is.
        step: after how many steps.
        accuracy: on validation problems.
        score: what it is selected by: the mean reward on validation problems.
    """

    folder: Path
    step: int
    accuracy: float
    score: float


class _Mark(Struct):
    step: Count
    accuracy: float
    score: float | None = None


def _sync_all(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _write(path: Path, step: int, accuracy: float, score: float) -> None:
    write_atomically(path, json.dumps({"step": step, "accuracy": accuracy, "score": score}))


def _read(path: Path, folder: Path) -> Checkpoint | None:
    try:
        mark = decode(path.read_bytes(), _Mark)
    except (OSError, MalformedError):
        return None
    return Checkpoint(folder, mark.step, mark.accuracy, mark.accuracy if mark.score is None else mark.score)


def mark_complete(folder: Path, step: int, accuracy: float, score: float) -> None:
    """Declare a checkpoint whole, after everything in it has reached the disk."""
    _sync_all(folder)
    _write(folder / MARK, step, accuracy, score)


def checkpoints(out: Path) -> list[Checkpoint]:
    """The complete checkpoints of a run, oldest first."""
    found = (_read(folder / MARK, folder) for folder in (out / "checkpoints").glob("checkpoint-*"))
    return sorted((c for c in found if c is not None), key=lambda checkpoint: checkpoint.step)


def selected(out: Path) -> Checkpoint | None:
    """The selected checkpoint, `None` before the first."""
    return _read(out / "model" / SELECTION, out / "model")


def select(out: Path) -> Checkpoint | None:
    """Make `model` the best of the selected checkpoint and those there are; of equals the later one.

    Returns:
        The checkpoint that is selected now, `None` before the first.
    """
    model, incoming, outgoing = out / "model", out / "model.new", out / "model.old"
    best = selected(out)
    for checkpoint in checkpoints(out):
        if best is None or (checkpoint.score, checkpoint.step) > (best.score, best.step):
            best = checkpoint
    if best is None or best.folder == model:
        return best
    for folder in (incoming, outgoing):
        _remove(folder)
    shutil.copytree(best.folder, incoming, ignore=shutil.ignore_patterns(*NOT_OF_THE_MODEL))
    _write(incoming / SELECTION, best.step, best.accuracy, best.score)
    _sync_all(incoming)
    if model.exists():
        model.rename(outgoing)
    incoming.rename(model)
    sync(out)
    _remove(outgoing)
    return Checkpoint(model, best.step, best.accuracy, best.score)


def prune(out: Path) -> None:
    """Remove the checkpoints before the newest complete one; the best of them lives on in `model`."""
    for checkpoint in checkpoints(out)[:-1]:
        (checkpoint.folder / MARK).unlink()  # first: a checkpoint that is removed in part no longer counts
        _remove(checkpoint.folder)


def repair(out: Path) -> Checkpoint | None:
    """Remove what an interruption left half-done; the newest complete checkpoint is where to go on."""
    for folder in (out / "checkpoints").glob("checkpoint-*"):
        if _read(folder / MARK, folder) is None:
            _remove(folder)
    model, outgoing = out / "model", out / "model.old"
    if outgoing.exists() and not model.exists():
        outgoing.rename(model)
    for folder in (out / "model.new", outgoing):
        _remove(folder)
    select(out)
    prune(out)
    return max(checkpoints(out), key=lambda checkpoint: checkpoint.step, default=None)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
