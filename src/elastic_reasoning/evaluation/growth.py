"""What a folder of records may be asked for beyond what it holds, and what must stay as it was.

    with RecordsWriter(folder) as writer:
        manifest = take_up(folder, asked)
        manifest.grown[-1]["added"]            # {"strategies": ["s1"], "samples": 4}

More problems, samples, budgets, strategies and models leave every record there is as it was. Whatever decides a result
may not change: half of the records would then say something else than the other half.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.strategies import facts_of
from elastic_reasoning.engines.names import parts_of
from elastic_reasoning.records.files import take_lock
from elastic_reasoning.records.manifest import (
    MANIFEST,
    MODELS_DIGEST,
    Growth,
    Manifest,
    read_manifest,
    write_manifest,
)
from elastic_reasoning.records.reading import files_of

LOCK = "manifest.lock"
LISTS = ("models", "strategies", "budgets", "settings")
"""Keys of the configuration whose lists may become longer."""
NUMBERS = ("samples",)
"""Keys whose number may rise."""
OWN = "own_strategies"
"""Key of the files of strategies, where there are such; folders of before they could be have none."""
BY_NAME = ("options", OWN, "dtype", MODELS_DIGEST)
"""Keys that hold a value for each strategy or model: names may be added, and each keeps its value."""


def take_up(folder: Path, asked: Manifest, has_others: bool = False) -> Manifest:
    """Begin a run in a folder, or go on with the one that is there.

    Call it with a `RecordsWriter` of the folder open: then no other run can take it for an empty one.

    Args:
        folder: of the run.
        asked: the manifest that the run would have in a folder of its own.
        has_others: others may write whose records cannot be seen here: a manifest that is there counts without any.

    Returns:
        The manifest that stands from now on.

    Raises:
        RecordsError: the folder holds another run, or cannot be read or written.
    """
    path = folder / MANIFEST
    lock = take_lock(folder / LOCK, wait=True)  # for a moment: several writers may begin at once
    try:
        files = files_of(folder)
        has_records = any(file.path.stat().st_size for file in files)
        if not has_records and not ((has_others or len(files) > 1) and path.exists()):
            return write_manifest(folder, asked)  # nothing depends on one yet: a mistake can be put right
        if not path.exists():
            raise RecordsError(f"{folder} has records but no {MANIFEST} that says what they are: use another folder")
        before = read_manifest(folder)
        after = grow(folder, before, asked)
        return before if after == before else write_manifest(folder, after)
    finally:
        os.close(lock)


def grow(folder: Path, before: Manifest, asked: Manifest) -> Manifest:
    """The manifest of a run that goes on: what it held, and what is asked beyond it.

    Asking for less than there is changes nothing.

    Args:
        folder: named in messages.
        before: what stands in the folder.
        asked: the manifest that the same run would have in a folder of its own.

    Raises:
        RecordsError: something that decides results is another; the message names its flag and both values.
    """
    _check_fixed(folder, before, asked)
    _check_problems(folder, before, asked)
    config = dict(before.config)
    added: dict[str, Any] = {}
    for name in LISTS:
        had = before.config.get(name, [])
        new = [each for each in asked.config.get(name, []) if each not in had]
        if new:
            config[name], added[name] = [*had, *new], new
    for name in NUMBERS:
        if asked.config.get(name, 0) > before.config.get(name, 0):
            config[name] = added[name] = asked.config[name]
    for name in BY_NAME:
        had, wanted = before.config.get(name, {} if name == OWN else None), asked.config.get(name)
        if isinstance(had, dict) and isinstance(wanted, dict):
            config[name] = {**had, **wanted}
    if len(asked.problems) > len(before.problems):
        added["problems"] = len(asked.problems)
    if not added:
        return before
    growth = Growth(created=asked.created, added=added, versions=asked.versions, commit=asked.commit)
    problems = max(before.problems, asked.problems, key=len)
    return replace(before, config=config, problems=problems, data=asked.data, grown=[*before.grown, growth])


def _check_fixed(folder: Path, before: Manifest, asked: Manifest) -> None:
    found = next(differences(fixed(before, asked), fixed(asked, before)), None)
    if not found:
        return
    path, was, would_be = found
    if path[0] in (MODELS_DIGEST, OWN):
        what = "other weights of model" if path[0] == MODELS_DIGEST else "another file of strategy"
        raise RecordsError(
            f"{folder} was made with {what} {path[1]}: put {'those' if path[0] == MODELS_DIGEST else 'that'} back, "
            "or give another folder with --out"
        )
    flag, of = _flag_of(path)
    raise RecordsError(
        f"{folder} was made with --{flag} {_short(was)}{of}, not {_short(would_be)}, and that decides results: "
        f"give the same --{flag}, or another folder with --out"
    )


def _flag_of(path: tuple[str, ...]) -> tuple[str, str]:
    """The flag of what may not change, and of which strategy or model it is."""
    if path[0] == "options":
        return ".".join(["options", *path[2:]]), f" for strategy {path[1]}"
    if path[0] == "dtype" and len(path) > 1:
        return "dtype", f" for model {path[1]}"
    return ".".join(path), ""


def clash(one: Manifest, other: Manifest) -> str | None:
    """In words, why the other manifest cannot be that of the same run; `None` if it can.

    What one of them lacks, and may take on as it grows, is no clash.
    """
    for path, was, would_be in differences(fixed(one, other), fixed(other, one)):
        if path[0] == MODELS_DIGEST:
            return f"it was made with other weights of model {path[1]}"
        if path[0] == OWN:
            return f"it was made with another file of strategy {path[1]}"
        flag, of = _flag_of(path)
        return f"it was made with --{flag} {_short(would_be)}{of}, not {_short(was)}, and that decides results"
    for number, path, was, would_be in _other_problems(one, other):
        return f"{'.'.join(path)} of problem {number} is {_short(would_be)}, not {_short(was)}"
    return None


def fixed(manifest: Manifest, other: Manifest) -> dict[str, Any]:
    """What may not change between two manifests, by the names of the flags."""
    values: dict[str, Any] = {"task": manifest.task, "split": manifest.split, "sampling": {"seed": manifest.seed}}
    for name, value in manifest.config.items():
        against = other.config.get(name)
        if name in (*LISTS, *NUMBERS) or (name == OWN and not isinstance(against, dict)):
            continue
        if name in BY_NAME and isinstance(value, dict) and isinstance(against, dict):
            # A model without a digest is none of ours; with one on one side alone it is another model.
            known = against.keys() if name != MODELS_DIGEST else _parts(other)
            values[name] = {key: each for key, each in value.items() if key in known}
            if name == "options":
                values[name] = {key: _told(key, each, against[key]) for key, each in values[name].items()}
        else:
            values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    return values


def _told(strategy: str, options: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """A strategy's options; one that is as it comes does not count where the other run knows none of that name."""
    defaults = facts_of(strategy).supported_options
    return {name: value for name, value in options.items() if name in others or value != defaults.get(name)}


def _parts(manifest: Manifest) -> set[str]:
    """The models of a manifest, each of a pair by itself."""
    return {part for model in manifest.config.get("models", []) for part in parts_of(model)}


def _check_problems(folder: Path, before: Manifest, asked: Manifest) -> None:
    for number, path, was, would_be in _other_problems(before, asked):
        raise RecordsError(
            f"{folder} holds other problems: {'.'.join(path)} of problem {number} was {_short(was)}, not "
            f"{_short(would_be)}; give the same --task and --data, or another folder with --out"
        )


def _other_problems(before: Manifest, asked: Manifest) -> Iterator[tuple[int, tuple[str, ...], Any, Any]]:
    """Where one list of problems does not begin the other one, which is what another limit makes of a task."""
    for number, (old, new) in enumerate(zip(before.problems, asked.problems, strict=False), 1):
        yield from ((number, *found) for found in differences(old, new))


def differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Where two plain values differ, as (keys that lead there, old, new); what is absent is `None`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from differences(old.get(name), new.get(name), (*path, name))
    elif old != new:
        yield path, old, new


def _short(value: Any) -> str:
    if isinstance(value, str) and value and not any(letter.isspace() for letter in value):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
