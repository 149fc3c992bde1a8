"""A task by name."""

import importlib

from elastic_reasoning.errors import TaskError, unknown
from elastic_reasoning.tasks.task import Task

TASKS = {"arithmetic": "elastic_reasoning.tasks.arithmetic:Arithmetic"}


def load_task(name: str) -> Task:
    """The task of that name.

    Raises:
        TaskError: there is none.
    """
    if name not in TASKS:
        raise TaskError(unknown("task", name, TASKS))
    module, _, attribute = TASKS[name].partition(":")
    task: Task = getattr(importlib.import_module(module), attribute)()
    return task
