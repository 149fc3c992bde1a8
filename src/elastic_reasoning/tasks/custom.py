"""A task of one's own, from a JSONL or Parquet file of problems or from a Python file.

    {"problem": "What is 2 + 3?", "answer": "5"}
    {"problem": "Which is prime? (A) 4 (B) 5", "answer": "B", "grader": "choice"}
    {"problem": "Who wrote Faust?", "answer": ["Goethe", "Johann Wolfgang von Goethe"], "grader": "text"}
    {"problem": "Print the sum of two numbers.", "grader": "code", "tests": [{"input": "1 2", "output": "3"}]}

A row is graded as mathematics unless `grader` says otherwise; `id` names it, and `split` puts it into "train" or
"validation" instead of "test". A Python file defines `task`, an object with what `tasks.task.Task` has, or a function
`load(task, grading)` that returns one.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, cast, get_args

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.answers.short import grade_choice, grade_text
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.tasks.code import OF_PROGRAMS, code_grading, code_problem
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Field, answers, read_field, text
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.mathematics import boxed_problem, math_grading
from elastic_reasoning.tasks.rows import SourceRow, read_file
from elastic_reasoning.tasks.table import Grading, ProblemIds, TableTask
from elastic_reasoning.tasks.task import Problem, Split, Task
from elastic_reasoning.untrusted.own_files import run_own

PARTS = ("name", "note", "problems", "grade", "close")

CHOICE_SUFFIX = r"Let's think step by step and output the letter of the right choice within \boxed{}."


def _one_of(*known: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return str(value)

    return read


def _letter(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str) or not re.fullmatch(r"\(?[A-J]\)?", value):
        raise ValueError("a letter from A to J")
    return (value,)


def _by(grade: Callable[[tuple[str, ...], str], Grade]) -> Callable[[GradingConfig], Grading]:
    """A grader that is a function of the right answers and the solution."""
    return lambda grading: Grading(lambda problem, solution: grade(problem.data["answers"], solution))


GRADERS: dict[str, Callable[[GradingConfig], Grading]] = {
    "math": math_grading,
    "choice": _by(lambda answers, solution: grade_choice(answers[0], solution)),
    "text": _by(grade_text),
    "code": code_grading,
}

PROBLEM = Field(("problem",), text)
ANSWER = Field(("answer",), answers)
LETTER = Field(("answer",), _letter)
GRADER: Field[str] = Field(("grader",), _one_of(*GRADERS), default="math", required=False)
SPLIT: Field[Any] = Field(("split",), _one_of(*get_args(Split)), default="test", required=False)


def load_custom(task: TaskConfig, grading: GradingConfig) -> Task:
    """The task that a file defines.

    Raises:
        TaskError: the file cannot be read, is malformed, or defines no task.
    """
    return _from_python(task, grading) if task.name.endswith(".py") else _from_rows(task, grading)


def _from_rows(task: TaskConfig, grading: GradingConfig) -> TableTask:
    refuse_meaningless(task, grading, *OF_PROGRAMS, "round_to_reference")
    path = Path(task.name)
    name = path.name.partition(".")[0]
    ids, splits = ProblemIds(name), defaultdict[Split, list[Problem]](list)
    for source_row in read_file(path):
        splits[read_field(SPLIT, *source_row)].append(_problem(ids, source_row))
    kinds = {problem.data["grader"] for problems in splits.values() for problem in problems}
    graders = {kind: GRADERS[kind](grading) for kind in kinds}

    def close() -> None:
        for grader in graders.values():
            grader.close()

    whole = Grading(
        lambda problem, solution: graders[problem.data["grader"]].grade(problem, solution),
        close,
        "; ".join(grader.note for grader in graders.values() if grader.note),
    )
    return TableTask(name, splits, whole)


def _problem(ids: ProblemIds, source_row: SourceRow) -> Problem:
    place, row = source_row
    problem, kind = read_field(PROBLEM, place, row), read_field(GRADER, place, row)
    problem_id = ids.id_of(place, row, problem)
    if kind == "code":
        made = code_problem(problem_id, source_row, problem, Limits())
    elif kind == "choice":
        made = boxed_problem(problem_id, problem, read_field(LETTER, place, row), CHOICE_SUFFIX)
    else:
        made = boxed_problem(problem_id, problem, read_field(ANSWER, place, row))
    return replace(made, data={**made.data, "grader": kind})


def _from_python(config: TaskConfig, grading: GradingConfig) -> Task:
    """What a Python file defines. The file is run, with all that it does."""
    module = run_own(config.name, TaskError)
    if hasattr(module, "task"):
        refuse_meaningless(config, grading)
        task = module.task
    elif hasattr(module, "load"):
        if len(signature(module.load).parameters) != 2:
            raise TaskError(f"{config.name}: its `load` takes two arguments, load(task, grading)")
        task = module.load(config, grading)
    else:
        needed = "an object `task`, or a function `load(task, grading)`"
        raise TaskError(f"{config.name} defines no task: it needs {needed}")
    missing = [part for part in PARTS if not hasattr(task, part)]
    if missing:
        raise TaskError(f"{config.name}: its task has no {', '.join(missing)}; a task has {', '.join(PARTS)}")
    return cast(Task, task)
