"""A finished run as a folder that others can use: weights, tokenizer, and what the model was trained for.

run = read_run(Path("runs/e1"))
with exporting(run, Path("e1-model")) as folder:     # appears as e1-model when the block is over, or not at all
    write_card(run, folder, name="e1-model")         # elastic_reasoning.report.card
upload(Path("e1-model"), "owner/e1-model")           # nothing goes anywhere before this
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from elastic_reasoning.core.errors import TrainingError, require
from elastic_reasoning.engines.loading import load_weights
from elastic_reasoning.training.checkpoints import SELECTION
from elastic_reasoning.training.folder import CONFIG
from elastic_reasoning.training.provenance import TrainedFor, read_trained_for
from elastic_reasoning.untrusted.json import Count, MalformedError, convert, decode

ADAPTER = "adapter_config.json"
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
LEFT_OUT = (SELECTION, "adapter_*", "README.md")


class _Recipe(TypedDict):
    """What is looked for in a recipe; the rest of it is only shown."""

    model: str
    dtype: str
    steps: Count


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A training folder.

    Attributes:
        folder: where it is.
        recipe: the fields of `TrainConfig` that decided the outcome, as plain values.
        metrics: what was logged at each step.
        about: what the selected model was trained for.
    """

    folder: Path
    recipe: dict[str, Any]
    metrics: list[dict[str, float]]
    about: TrainedFor

    @property
    def model(self) -> Path:
        """The folder of the selected model."""
        return self.folder / "model"


def read_run(folder: Path) -> FinishedRun:
    """Read a training folder.

    Raises:
        TrainingError: it is none, has no model yet, or is damaged.
    """
    about = read_trained_for(folder / "model")
    if about is None:
        raise TrainingError(f"{folder} has no model that elastic train has selected: give the out of a training run")
    try:
        recipe = decode((folder / CONFIG).read_bytes(), dict[str, Any])
        convert(recipe, _Recipe)
        lines = (folder / "metrics.jsonl").read_bytes().splitlines()
        return FinishedRun(folder, recipe, [decode(line, dict[str, float]) for line in lines], about)
    except (OSError, MalformedError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise TrainingError(f"cannot read the run in {folder}: {reason}; give the out of a training run") from None


@contextmanager
def exporting(run: FinishedRun, out: Path) -> Iterator[Path]:
    """A folder with the model, to which more can be written; it gets its name when the block is over.

    Weights are safetensors, and adapters are merged into them.

    Raises:
        TrainingError: `out` exists and is not empty, or cannot be written; or the run has no whole weights.
        EngineError: the model that adapters belong to cannot be loaded.
        MissingDependencyError: peft is needed for adapters, and not installed.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise TrainingError(f"{out} exists and is not empty: remove it, or give another folder")
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            shutil.copytree(run.model, unfinished, ignore=shutil.ignore_patterns(*LEFT_OUT))
            if (run.model / ADAPTER).exists():
                _merge(run, unfinished)
            _check_weights(run, unfinished)
            yield unfinished
            unfinished.rename(out)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise TrainingError(f"cannot write {out}: {error.strerror or error}; give another folder") from error


def _merge(run: FinishedRun, folder: Path) -> None:
    """Write the weights that training started from, with the adapters added to them."""
    from elastic_reasoning.training.trl.trainer import quietly

    peft = require("peft", "train")
    base = load_weights(run.recipe["model"], run.recipe["dtype"])
    with quietly():
        merged = peft.PeftModel.from_pretrained(base, str(run.model)).merge_and_unload()
    merged.save_pretrained(folder)


def _check_weights(run: FinishedRun, folder: Path) -> None:
    """Refuse weights that are not there, or not whole."""
    from safetensors import SafetensorError, safe_open

    paths = list(folder.glob("*.safetensors"))
    if not paths:
        raise TrainingError(f"{run.model} has no weights in safetensors: let the run select a checkpoint again")
    for path in paths:
        try:
            with safe_open(path, "np"):
                pass
        except SafetensorError as error:
            raise TrainingError(f"{run.model / path.name} is damaged ({error}): restore it") from None


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a repository on the hub.

    Raises:
        TrainingError: with what is allowed.
    """
    if not REPOSITORY.fullmatch(name):
        raise TrainingError(f"upload {name!r}: must be owner/name, of letters, digits, '-', '_' and '.'")


def upload(folder: Path, name: str) -> str:
    """Upload an exported folder to the hub, into a repository that is made where it does not exist.

    Returns:
        Its address.

    Raises:
        TrainingError: it could not be uploaded; the folder is kept.
    """
    import huggingface_hub

    try:
        address = huggingface_hub.create_repo(name, exist_ok=True)
        huggingface_hub.upload_folder(repo_id=name, folder_path=folder, commit_message="Upload the model")
    except Exception as error:  # the hub's client has no common error: no network, no permission, no such owner
        reason = (str(error).splitlines() or [""])[0]
        raise TrainingError(
            f"cannot upload to {name} ({type(error).__name__}: {reason}); the export is kept: hf upload {name} {folder}"
        ) from error
    return str(address)
