"""A task by its name, or from a file of one's own.

    task = load_task(TaskConfig("aime24"))                         # from the hub
    task = load_task(TaskConfig("aime24", data="aime24.jsonl"))    # from a local file
    task = load_task(TaskConfig("examples/own_task.py"))           # one's own

Rows are read, checked and mended when a task is loaded; what grades them is started at the first grade.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from elastic_reasoning.core.errors import TaskError, unknown
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.task import Task

CUSTOM_FILES = (".py", ".jsonl", ".jsonl.gz", ".parquet")

Load = Callable[[TaskConfig, GradingConfig], Task]


@cache
def all_tasks() -> dict[str, Load]:
    """What makes each task, by its name: every module beside this one that has `TASKS`, names, and `load`."""
    modules = [import_module(f"{__package__}.{module.name}") for module in iter_modules([str(Path(__file__).parent)])]
    return {name: module.load for module in modules for name in getattr(module, "TASKS", ())}


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
    _check_known(task.name)
    for path in filter(None, (task.name if task.name.endswith(CUSTOM_FILES) else "", task.data)):
        if not Path(path).is_file():
            why = "a folder" if Path(path).is_dir() else "No such file or directory"
            raise TaskError(f"cannot read {path}: {why}; pass a file of problems")


def _check_known(name: str) -> None:
    if not name.endswith(CUSTOM_FILES) and name not in all_tasks():
        raise TaskError(f"{unknown('task', name, all_tasks())}, or a file of one's own ({', '.join(CUSTOM_FILES)})")


def load_task(task: TaskConfig, grading: GradingConfig | None = None) -> Task:
    """The task of that name, or of that file (*.py, *.jsonl, *.jsonl.gz, *.parquet).

    Raises:
        TaskError: there is none, its rows cannot be read or are malformed, or an option means nothing to it.
        MissingDependencyError: what it needs is not installed.
    """
    _check_known(task.name)
    grading = grading or GradingConfig()
    if task.name.endswith(CUSTOM_FILES):
        from elastic_reasoning.tasks.custom import load_custom

        return load_custom(task, grading)
    return all_tasks()[task.name](task, grading)
