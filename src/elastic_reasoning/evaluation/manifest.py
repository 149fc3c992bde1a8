"""What a folder of records was made with: `manifest.json` beside `records.jsonl`.

manifest = Manifest.new(task="arithmetic", split="test", seed=0, config={"limit": 512}, problems=problems)
write_manifest(folder, manifest)       # or, where the folder has one already, a check that it is the same run
read_manifest(folder).config["limit"]  # 512
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict

from elastic_reasoning.errors import RecordsError
from elastic_reasoning.files import write_atomically
from elastic_reasoning.tasks.task import Problem

MANIFEST = "manifest.json"
RECORDS = "records.jsonl"
MODELS_DIGEST = "models_digest"
"""Key of the configuration: for each local model, a hash of its weights."""
FORMAT = 2
PACKAGES = ("elastic-reasoning", "torch", "transformers")


class Asked(TypedDict):
    """A problem as the manifest keeps it; of what else it is graded by, a hash."""

    id: str
    question: str
    answer: str
    graded_by: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was run.

    Attributes:
        task, split: where the problems are from.
        seed: the seed of every draw.
        config: the resolved configuration. A run can be taken up again only with the same one, so it holds what
            decides the records and nothing else.
        problems: what was asked, in order.
        data: the local file with the task's rows; empty for the hub. It may have moved since.
        versions: of this package, Python, torch and transformers; `None` for what is not installed.
        commit: the commit of this package's source, "-dirty" behind it where files were changed; `None` outside git.
        created: when, in UTC.
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
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecordsError(f"{folder} has no {MANIFEST}: pass a folder that a sweep has written") from None
    except OSError as error:
        raise RecordsError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RecordsError(f"{path} is damaged ({error}): restore it, or sweep again into another folder") from None
    if not isinstance(data, dict) or data.get("version") != FORMAT:
        found = data.get("version") if isinstance(data, dict) else None
        raise RecordsError(f"{path} has format {found!r}, this version reads {FORMAT}: sweep again into another folder")
    names = {field.name for field in fields(Manifest)}
    if set(data) != names:
        wrong = ", ".join(sorted(set(data) ^ names))
        raise RecordsError(f"{path} is damaged (keys missing or unknown: {wrong}): sweep again into another folder")
    return Manifest(**data)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest of a new run, or check that a run which goes on is the same.

    Call it with the folder's `RecordsWriter` open, so that no other run can be at it.

    Returns:
        The manifest that stands: the one that was there, if there was one.

    Raises:
        RecordsError: the folder holds another run, or cannot be written.
    """
    path, records = folder / MANIFEST, folder / RECORDS
    has_records = records.exists() and records.stat().st_size > 0
    if path.exists() and has_records:  # without records nothing depends on it yet: a mistake can be put right
        before = read_manifest(folder)
        _check_same(folder, before, manifest)
        return before
    if has_records:
        raise RecordsError(f"{folder} has {RECORDS} but no {MANIFEST} that says what they are: use another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise RecordsError(f"cannot write {path}: {error.strerror}; pass a folder that can be written") from None
    return manifest


def _check_same(folder: Path, before: Manifest, now: Manifest) -> None:
    """What decides the records must be the same; versions, commit and date may differ."""
    decides = ("task", "split", "seed", "config", "problems")
    old, new = ({name: getattr(manifest, name) for name in decides} for manifest in (before, now))
    found = _first_difference(old, new)
    if found:
        key, was, would_be = found
        model = key.removeprefix(f"config.{MODELS_DIGEST}.")
        if model != key:
            raise RecordsError(
                f"{folder} was started with other weights of model {model}: put those back, or use another folder"
            )
        raise RecordsError(
            f"{folder} was started with {key} = {_short(was)}, not {_short(would_be)}: "
            "go on with the same settings, or use another folder"
        )


def _first_difference(old: Any, new: Any, key: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = {f"{key}.{name}".lstrip("."): (old.get(name), new.get(name)) for name in {**old, **new}}
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = {f"{key}[{n}]": both for n, both in enumerate(zip(old, new, strict=True))}
    else:
        return None if old == new else (key, old, new)
    return next(filter(None, (_first_difference(a, b, name) for name, (a, b) in pairs.items())), None)


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 12:
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
