"""What a folder of records was made with: `manifest.json` beside its records.

manifest = Manifest.new(task="arithmetic", split="test", seed=0, config={"samples": 4}, problems=problems)
read_manifest(folder).config["samples"]  # 4

`elastic_reasoning.evaluation.growth` says what a folder that has one already may be asked for.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.core.strategies import Bounds, remember
from elastic_reasoning.records.files import write_atomically
from elastic_reasoning.tasks.fields import shown
from elastic_reasoning.tasks.task import Problem
from elastic_reasoning.untrusted.json import Count, MalformedError, convert, decode

MANIFEST = "manifest.json"
MODELS_DIGEST = "models_digest"
"""Key of the configuration: for each local model, a hash of its weights."""
FORMAT = 3
PACKAGES = ("elastic-reasoning", "torch", "transformers")


class Asked(TypedDict):
    """A problem as the manifest keeps it; of what else it is graded by, a hash."""

    id: str
    question: str
    answer: str
    graded_by: str


class Growth(TypedDict):
    """What a finished run was asked for later: the new entries of each list, and the new number of what is counted."""

    created: str
    added: dict[str, Any]
    versions: dict[str, str | None]
    commit: str | None


class _OwnStrategy(TypedDict):
    """What is known of a strategy in a file, beside its digest."""

    file: str
    sha256: str
    label: str
    about: str
    bounds: Bounds


class _Config(TypedDict, total=False):
    """What others look for in the configuration; the rest of it is only compared."""

    models: list[str]
    strategies: list[str]
    budgets: list[str]
    settings: list[str]
    samples: Count
    models_digest: dict[str, str]
    own_strategies: dict[str, _OwnStrategy]
    release: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was run.

    Attributes:
        task, split: where the problems are from.
        seed: the seed of every draw.
        config: the resolved configuration: what decides the records, and nothing else. Its models, strategies,
            budgets, settings and samples are all that were ever asked for here.
        problems: what was asked, in order.
        data: the local file with the task's rows; empty for the hub. It may have moved since.
        versions: of this package, Python, torch and transformers; `None` for what is not installed.
        commit: the commit of this package's source, "-dirty" behind it where files were changed; `None` outside git.
        created: when, in UTC.
        grown: what was asked for later, and when.
        version: of this format.
    """

    task: str
    split: str
    seed: int
    config: dict[str, Any]
    problems: list[Asked]
    data: str
    versions: dict[str, str | None]
    commit: str | None
    created: str
    grown: list[Growth] = field(default_factory=list)
    version: int = FORMAT

    @classmethod
    def new(
        cls,
        task: str,
        split: str,
        seed: int,
        config: Mapping[str, Any],
        problems: Iterable[Problem],
        data: str = "",
    ) -> "Manifest":
        """The manifest of a run that starts now, in this environment."""
        asked = [Asked(id=p.id, question=_question(p), answer=p.answer, graded_by=_hash(p.data)) for p in problems]
        plain = json.loads(json.dumps(dict(config)))  # tuples become lists, as they will once read back
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(task, split, seed, plain, asked, data, _versions(), source_commit(), created)


def _question(problem: Problem) -> str:
    return "\n".join(message["content"] for message in problem.messages)


def _hash(data: Mapping[str, Any]) -> str:
    text = json.dumps(dict(data), sort_keys=True, default=repr)
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest() if data else ""


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def source_commit() -> str | None:
    """The commit of this package's source, "-dirty" behind it where tracked files were changed.

    `None` where this very file is not tracked: an installed copy has no commit.
    """
    git = ["git", "-C", str(Path(__file__).parent)]
    tracked = [*git, "ls-files", "--error-unmatch", Path(__file__).name]
    describe = [*git, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"]
    try:
        subprocess.run(tracked, check=True, capture_output=True)
        return subprocess.run(describe, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        RecordsError: there is none, it is damaged, or it has another format.
    """
    path = folder / MANIFEST
    try:
        data = decode(path.read_bytes())
    except FileNotFoundError:
        raise RecordsError(f"{folder} has no {MANIFEST}: pass a folder that a sweep has written") from None
    except OSError as error:
        raise RecordsError(f"cannot read {path}: {error.strerror}") from None
    except MalformedError as error:
        raise RecordsError(f"{path} is damaged ({error}): restore it, or sweep again into another folder") from None
    if not isinstance(data, dict) or data.get("version") != FORMAT:
        found = shown(data.get("version")) if isinstance(data, dict) else None
        raise RecordsError(f"{path} has format {found}, this version reads {FORMAT}: sweep again into another folder")
    names = {field.name for field in fields(Manifest)}
    if set(data) != names:
        wrong = one_line(", ".join(sorted(set(data) ^ names)), most=200)
        raise RecordsError(f"{path} is damaged (keys missing or unknown: {wrong}): sweep again into another folder")
    try:
        for name, own in convert(data["config"], _Config).get("own_strategies", {}).items():
            remember(name, own["label"], own["about"], own["bounds"])
        return convert(data, Manifest)
    except MalformedError as error:
        raise RecordsError(f"{path} is damaged ({error}): sweep again into another folder") from None


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Put the manifest of a folder in place of the one that is there.

    Raises:
        RecordsError: it cannot be written.
    """
    path = folder / MANIFEST
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise RecordsError(f"cannot write {path}: {error.strerror}; pass a folder that can be written") from None
    return manifest
