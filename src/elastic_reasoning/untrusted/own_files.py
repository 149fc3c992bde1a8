"""What a file of one's own defines, wherever this package takes a name: a strategy, a task, an engine, a reward.

load_own("my.py:patient", StrategyError)       # the object `patient` of my.py
run_own("my.py", TaskError)                    # the file as a module
"""

import hashlib
import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from elastic_reasoning.core.errors import ElasticError, unknown


def is_own(name: str) -> bool:
    """Whether a name is that of an object in a file, as `my.py:patient`."""
    return ".py:" in name


def load_own(name: str, kind: type[ElasticError]) -> Any:
    """The object that a name such as `my.py:patient` stands for, the same one each time in a process.

    The file is run, with all that it does, and again only after it has changed.

    Args:
        name: a path from the current folder, and what the file calls the object.
        kind: the error to raise.

    Raises:
        ElasticError: of that kind: the file cannot be read, does not run, or has no such object.
    """
    path, _, attribute = name.rpartition(":")
    _check_file(path, kind)
    module = _run_once(str(Path(path).resolve()), Path(path).stat().st_mtime_ns, path, kind)  # type: ignore[arg-type]
    if not hasattr(module, attribute):
        known = [name for name in vars(module) if not name.startswith("_")]
        raise kind(f"{path}: {unknown('name', attribute, known)}")
    return getattr(module, attribute)


def run_own(path: str, kind: type[ElasticError]) -> ModuleType:
    """A file as a module, run anew.

    Raises:
        ElasticError: of that kind: the file cannot be read, or does not run.
    """
    _check_file(path, kind)
    place = Path(path)
    name = f"elastic_reasoning_own_{place.stem}_{hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:8]}"
    specification = importlib.util.spec_from_file_location(name, place)
    assert specification is not None
    assert specification.loader is not None  # it is, for a name that ends in .py
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and pickle look there for what a class belongs to
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        why = (str(error).splitlines() or [""])[0]
        raise kind(f"{path} does not run: {type(error).__name__}: {why}") from error
    return module


@lru_cache
def _run_once(resolved: str, changed_ns: int, path: str, kind: type[ElasticError]) -> ModuleType:
    return run_own(path, kind)


def _check_file(path: str, kind: type[ElasticError]) -> None:
    if not Path(path).is_file():
        why = "a folder" if Path(path).is_dir() else "No such file or directory"
        raise kind(f"cannot read {path}: {why}")
