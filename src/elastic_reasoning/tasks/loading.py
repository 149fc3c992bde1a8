"""A task by its name, or from a file of one's own.

    task = load_task("aime24")                                     # from the hub
    task = load_task("aime24", TaskOptions(data="aime24.jsonl"))   # from a local file
    task = load_task("examples/own_task.py")                       # one's own

Rows are read, checked and mended when a task is loaded; what grades them is started at the first grade.
"""

import importlib
from dataclasses import dataclass, fields
from pathlib import Path

from elastic_reasoning.core.errors import TaskError, unknown
from elastic_reasoning.tasks.task import Task

CUSTOM_FILES = (".py", ".jsonl", ".jsonl.gz", ".parquet")

_MATHEMATICS = "elastic_reasoning.tasks.mathematics:load"
_CODE = "elastic_reasoning.tasks.code:load"
_HUMANEVAL = "elastic_reasoning.tasks.humaneval:load"

TASKS = {
    "arithmetic": "elastic_reasoning.tasks.arithmetic:load",
    "aime24": _MATHEMATICS,
    "aime25": _MATHEMATICS,
    "amc": _MATHEMATICS,
    "amc23": _MATHEMATICS,
    "math500": _MATHEMATICS,
    "minerva": _MATHEMATICS,
    "olympiadbench": _MATHEMATICS,
    "deepscaler": _MATHEMATICS,
    "livecodebench": "elastic_reasoning.tasks.livecodebench:load",
    "codeforces": _CODE,
    "deepcoder": _CODE,
    "humaneval": _HUMANEVAL,
    "humaneval_plus": _HUMANEVAL,
}
"""What makes each task: a function of its name and the options."""


@dataclass(frozen=True)
class TaskOptions:
    """How a task is loaded and graded. A task refuses options that mean nothing to it.

    Attributes:
        data: local JSONL (also .jsonl.gz) or Parquet file that is read instead of the hub.
        release: release of LiveCodeBench, v1 to v6; the latest if empty.
        since, until: first and last contest date of LiveCodeBench problems, as YYYY-MM-DD, inclusive.
        allow_code_execution: run the programs that a model wrote, in a sandbox. Tasks of code cannot grade without.
        sandbox: "auto", "bubblewrap" or "weak", see `grading.probe.find_sandbox`.
        workers: grading processes; 0 for as many as there are cores.
        round_to_reference: accept an answer of mathematics that is the reference when rounded to its last digit, as
            1538.46 for 1538; `None` is no.
    """

    data: str = ""
    release: str = ""
    since: str = ""
    until: str = ""
    allow_code_execution: bool = False
    sandbox: str = "auto"
    workers: int = 0
    round_to_reference: bool | None = None

    def only(self, task: str, *meaningful: str) -> None:
        """Refuse what means nothing to a task.

        Raises:
            TaskError: an option that is not among the meaningful ones was given.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in meaningful and value != field.default:
                known = f"its options are {', '.join(meaningful)}" if meaningful else "it has no options"
                flag = " (grading_workers)" if field.name == "workers" else ""
                raise TaskError(f"{field.name} {value!r}{flag}: means nothing to task {task}; {known}")


def check_task(name: str, options: TaskOptions = TaskOptions()) -> None:
    """Refuse a task that is not known or whose files are not there; nothing is imported or read for it.

    Raises:
        TaskError: as said.
    """
    _check_known(name, options)
    for path in filter(None, (name if name.endswith(CUSTOM_FILES) else "", options.data)):
        if not Path(path).is_file():
            why = "a folder" if Path(path).is_dir() else "No such file or directory"
            raise TaskError(f"cannot read {path}: {why}; pass a file of problems")


def _check_known(name: str, options: TaskOptions) -> None:
    if options.workers < 0:
        raise TaskError(f"workers {options.workers}: must be 0 (as many as there are cores) or more")
    if name not in TASKS and not name.endswith(CUSTOM_FILES):
        raise TaskError(f"{unknown('task', name, TASKS)}, or a file of one's own ({', '.join(CUSTOM_FILES)})")


def load_task(name: str, options: TaskOptions = TaskOptions()) -> Task:
    """The task of that name, or of that file (*.py, *.jsonl, *.jsonl.gz, *.parquet).

    Raises:
        TaskError: there is none, its rows cannot be read or are malformed, or an option means nothing to it.
        MissingDependencyError: what it needs is not installed.
    """
    _check_known(name, options)
    if name.endswith(CUSTOM_FILES):
        from elastic_reasoning.tasks.custom import load_custom

        return load_custom(name, options)
    module, _, attribute = TASKS[name].partition(":")
    task: Task = getattr(importlib.import_module(module), attribute)(name, options)
    return task
