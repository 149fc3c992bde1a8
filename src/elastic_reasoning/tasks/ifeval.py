"""IFEval: prompts with instructions that a program can check, as "no commas" or "at least 300 words".

    task = load_task(TaskConfig("ifeval", data="ifeval.jsonl"))
    task.grade(task.problems("test", limit=1)[0], "...")    # right if every instruction is followed, strictly

Zhou et al. 2023, arXiv 2311.07911. A prompt is asked as it stands. How responses are graded: `grading.instructions`.
"""

from collections.abc import Mapping
from typing import Any

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.instructions.grader import (
    Instruction,
    InstructionGrader,
    complaint,
    require_checks,
)
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Field, read_field, text
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.rows import Hub, SourceRow
from elastic_reasoning.tasks.table import Grading, ProblemIds, TableTask, make_problem, source_rows, test_only
from elastic_reasoning.tasks.task import Problem

TASKS = ("ifeval",)
HUB = Hub("google/IFEval")  # unverified, like its revision: no hub could be asked


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise ValueError("a list of names of instructions")
    return tuple(value)


def _arguments(value: Any) -> tuple[Mapping[str, Any], ...]:
    """What each instruction is told; rows of the hub have every argument there is, most of them null."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("a list with an object for each instruction")
    return tuple({key: told for key, told in each.items() if told is not None} for each in value)


PROMPT = Field(("prompt",), text)
NAMES = Field(("instruction_id_list",), _names)
ARGUMENTS = Field(("kwargs",), _arguments)


def load(task: TaskConfig, grading: GradingConfig) -> TableTask:
    """IFEval with its grader.

    Raises:
        TaskError: rows that cannot be read or are malformed, or an option that means nothing here.
        MissingDependencyError, GradingError: what the checks need is not here.
    """
    refuse_meaningless(task, grading, "data", "grading_workers")
    require_checks()
    ids = ProblemIds(task.name, ("id", "key"))
    problems = [_problem(ids, source_row) for source_row in source_rows(task.name, task.data, (HUB,))]
    grader = InstructionGrader(grading.grading_workers)
    return TableTask(
        task.name,
        test_only(problems),
        Grading(
            lambda problem, solution: grader.grade(problem.data["problem"], problem.data["instructions"], solution),
            grader.close,
        ),
    )


def _problem(ids: ProblemIds, source_row: SourceRow) -> Problem:
    place, row = source_row
    prompt = read_field(PROMPT, place, row)
    names, arguments = read_field(NAMES, place, row), read_field(ARGUMENTS, place, row)
    if len(names) != len(arguments):
        raise TaskError(f"{place}: {len(names)} instructions and kwargs for {len(arguments)}; expected one for each")
    instructions = tuple(map(Instruction, names, arguments))
    for instruction in instructions:
        if expected := complaint(instruction):
            raise TaskError(f"{place}: expected {expected}")
    return make_problem(
        ids.id_of(place, row, prompt),
        prompt,
        ", ".join(names),
        problem=prompt,
        instructions=instructions,
        references=(),
    )
