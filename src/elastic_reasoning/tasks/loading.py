"""A task by its name, or from a file of one's own.

    task = load_task(TaskConfig("aime24"))                         # from the hub
    task = load_task(TaskConfig("aime24", data="aime24.jsonl"))    # from a local file
    task = load_task(TaskConfig("examples/own_task.py"))           # one's own

Rows are read, checked and mended when a task is loaded; what grades them is started at the first grade.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import cast

from elastic_reasoning.core.errors import TaskError, unknown
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Row
from elastic_reasoning.tasks.task import Task

CUSTOM_FILES = (".py", ".jsonl", ".jsonl.gz", ".parquet")

Load = Callable[[TaskConfig, GradingConfig], Task]


def _modules() -> Iterator[ModuleType]:
    """Every module beside this one that has `TASKS`, names, and `load`; imported as it is asked for."""
    for found in iter_modules([str(Path(__file__).parent)]):
        module = import_module(f"{__package__}.{found.name}")
        if hasattr(module, "TASKS"):
            yield module


def all_tasks() -> list[str]:
    """The names of the tasks of the package."""
    return [name for module in _modules() for name in module.TASKS]


def refuse_meaningless(task: TaskConfig, grading: GradingConfig, *meaningful: str) -> None:
    """Refuse what means nothing to a task.

    Args:
        task, grading: what was given.
        meaningful: the fields of either that mean something to the task.

    Raises:
        TaskError: another one was given.
    """
    for group in (task, grading):
        for field in fields(group):
            value = getattr(group, field.name)
            if field.name not in ("name", *meaningful) and value != field.default:
                known = f"its options are {', '.join(meaningful)}" if meaningful else "it has no options"
                raise TaskError(f"{field.name} {value!r}: means nothing to task {task.name}; {known}")


def check_task(task: TaskConfig) -> None:
    """Refuse a task that is not known or whose files are not there; none of its rows is read.

    Raises:
        TaskError: as said.
    """
    _load_of(task.name)
    for path in filter(None, (task.name if task.name.endswith(CUSTOM_FILES) else "", task.data)):
        if not Path(path).is_file():
            why = "a folder" if Path(path).is_dir() else "No such file or directory"
            raise TaskError(f"cannot read {path}: {why}; pass a file of problems")


def _load_of(name: str) -> Load:
    """What makes the task of that name, or of that file."""
    if name.endswith(CUSTOM_FILES):
        return cast(Load, import_module(f"{__package__}.custom").load_custom)
    for module in _modules():
        if name in module.TASKS:
            return cast(Load, module.load)
    raise TaskError(f"{unknown('task', name, all_tasks())}, or a file of one's own ({', '.join(CUSTOM_FILES)})")


def load_thoughts(name: str, seed: int) -> Iterator[Row]:
    """An endless stream of rows that teach to think on a task: problem, thinking, solution, and whether it is finished.

    Raises:
        TaskError: no task of that name writes thoughts.
    """
    writers = {task: module.thoughts for module in _modules() if hasattr(module, "thoughts") for task in module.TASKS}
    if name not in writers:
        raise TaskError(f"{unknown('task', name, writers)}, of those that write thoughts")
    return cast(Iterator[Row], writers[name](seed))


def load_task(task: TaskConfig, grading: GradingConfig | None = None) -> Task:
    """The task of that name, or of that file (*.py, *.jsonl, *.jsonl.gz, *.parquet).

    Raises:
        TaskError: there is none, its rows cannot be read or are malformed, or an option means nothing to it.
        MissingDependencyError: what it needs is not installed.
    """
    return _load_of(task.name)(task, grading or GradingConfig())
