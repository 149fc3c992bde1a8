"""Codeforces problems and DeepCoder's training set: programs that are run on tests.

    task = load_task(TaskConfig("codeforces", data="codeforces.jsonl"), GradingConfig(allow_code_execution=True))

What is asked for has the role of LiveCodeBench's prompts, in words of our own: a program that reads standard input,
or the starter code completed, in one fenced block.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.programs.code import CodeGrader, CodeTests
from elastic_reasoning.grading.programs.outputs import SEVERAL_OUTPUTS
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.tasks.code_tests import Published
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Field, any_text, read_field, text
from elastic_reasoning.tasks.fingerprint import fingerprint
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.rows import Hub, SourceRow
from elastic_reasoning.tasks.stated_answers import stated_answers
from elastic_reasoning.tasks.table import (
    Grading,
    ProblemIds,
    TableTask,
    make_problem,
    source_rows,
    test_only,
    train_val_split,
)
from elastic_reasoning.tasks.task import Problem, Split
from elastic_reasoning.untrusted.json import decode

DEEPCODER = "agentica-org/DeepCoder-Preview-Dataset"
HUBS = {
    # ProblemIds that public code loads; neither they nor any revision could be verified against the hub.
    "codeforces": (Hub(DEEPCODER, "test", "codeforces"),),
    "deepcoder": tuple(Hub(DEEPCODER, "train", config) for config in ("primeintellect", "taco", "lcbv5")),
}
TASKS = tuple(HUBS)

STDIN_PROMPT = """{problem}

Write a Python program that solves this problem: it reads standard input and prints to standard output. \
Give the whole program in one block that begins with ```python and ends with ```."""
STARTER_PROMPT = """{problem}

Complete this starter code so that it solves the problem. Read no input and print nothing. \
Give the whole program in one block that begins with ```python and ends with ```.

```python
{starter}
```"""
FUNCTION_PROMPT = """{problem}

Write a Python function `{function}` that solves this problem. Read no input and print nothing. \
Give the whole program in one block that begins with ```python and ends with ```."""

CODES = Path(__file__).with_name("codeforces.json")
"""The name of each Codeforces problem, such as cf-1971A, by its fingerprint: rows of the hub have none."""

TIME_LIMIT = re.compile(r"Time Limit:\s*([\d.]+)\s*ms")
MEMORY_LIMIT = re.compile(r"Memory Limit:\s*(\d+)\s*MB")
LEAST_SECONDS = 5.0
LEAST_MEMORY_MB = 1024
TRAINING_LIMITS = Limits(seconds=12.0, memory_mb=4096, total_seconds=180.0)
MOST_TRAINING_TESTS = 15


def _programs(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in values):
        raise ValueError("a program or a list of programs")
    return tuple(each for each in values if each.strip())


def _function(value: Any) -> str:
    """LiveCodeBench's metadata, an object or JSON text of one, names the called function as func_name."""
    try:
        decoded = decode(value) if isinstance(value, str) else value
        return str(decoded.get("func_name") or "")
    except (ValueError, AttributeError):
        raise ValueError("an object, or JSON text of one") from None


PROBLEM = Field(("problem",), text)
STARTER: Field[str] = Field(("starter_code",), any_text, default="", required=False)
ENTRY_POINT: Field[str] = Field(("entry_point",), any_text, default="", required=False)
METADATA: Field[str] = Field(("metadata",), _function, default="", required=False)
TESTS: Field[Any] = Field(("tests",), lambda value: value)
CHECKER: Field[str] = Field(("checker",), any_text, default="", required=False)
SOLUTIONS: Field[tuple[str, ...]] = Field(("solutions", "solution"), _programs, default=(), required=False)


OF_PROGRAMS = ("allow_code_execution", "sandbox", "grading_workers")
"""What the grading of programs is told."""


def load(task: TaskConfig, grading: GradingConfig) -> TableTask:
    """Codeforces or DeepCoder with its grader.

    Raises:
        TaskError: rows that cannot be read or are malformed, or an option that means nothing here.
    """
    refuse_meaningless(task, grading, "data", *OF_PROGRAMS)
    ids = ProblemIds(task.name)
    rows = source_rows(task.name, task.data, HUBS[task.name])
    if task.name == "deepcoder":
        splits = train_val_split([_training_problem(ids, source_row) for source_row in rows])
    else:
        codes = json.loads(CODES.read_text(encoding="utf-8"))
        splits = test_only([_codeforces_problem(ids, codes, source_row) for source_row in rows])
    return TableTask(task.name, splits, code_grading(grading, splits))


def _training_problem(ids: ProblemIds, source_row: SourceRow) -> Problem:
    problem = read_field(PROBLEM, *source_row)
    return code_problem(ids.id_of(*source_row, problem), source_row, problem, TRAINING_LIMITS, MOST_TRAINING_TESTS)


def _codeforces_problem(ids: ProblemIds, codes: Mapping[str, str], source_row: SourceRow) -> Problem:
    place, row = source_row
    problem = read_field(PROBLEM, place, row)
    problem_id = ids.id_of(place, {"id": codes.get(fingerprint(problem)), **row}, problem)
    return code_problem(problem_id, source_row, problem, stated_limits(problem))


def stated_limits(problem: str) -> Limits:
    """The limits that a Codeforces statement names.

    They are meant for fast languages. Here seconds are those of Python, its start among them, and memory is address
    space; therefore they are not taken below 5 s and 1 GB.
    """
    milliseconds, megabytes = TIME_LIMIT.search(problem), MEMORY_LIMIT.search(problem)
    return Limits(
        seconds=max(LEAST_SECONDS, float(milliseconds[1]) / 1000 if milliseconds else 0.0),
        memory_mb=max(LEAST_MEMORY_MB, int(megabytes[1]) if megabytes else 0),
    )


def code_problem(
    problem_id: str, source_row: SourceRow, problem: str, limits: Limits, most: int | None = None
) -> Problem:
    """A problem from a row with `tests`, and perhaps starter code, the function's name and solutions.

    Raises:
        TaskError: a field is missing or malformed.
    """
    place, row = source_row
    starter = read_field(STARTER, place, row)
    function = read_field(ENTRY_POINT, place, row) or read_field(METADATA, place, row)
    answers = stated_answers(problem, read_field(CHECKER, place, row))
    tests = Published((read_field(TESTS, place, row),), function, limits, answers, most)
    content = prompt(problem, starter, parse_tests(place, tests).entry_point)
    return make_code_problem(problem_id, content, problem, tests, read_field(SOLUTIONS, place, row))


def parse_tests(place: str, tests: Published) -> CodeTests:
    """The tests of a row.

    Raises:
        TaskError: they are malformed.
    """
    try:
        return tests.read()
    except ValueError as error:
        raise TaskError(f"{place}, tests: expected {error}") from None


def make_code_problem(
    problem_id: str, content: str, problem: str, tests: Published | CodeTests, solutions: tuple[str, ...]
) -> Problem:
    """A problem whose answer is a program; the first solution, where there is one, is such a program."""
    program = solutions[0] if solutions else ""
    references = (program if "```" in program else f"```python\n{program}\n```",) if program else ()
    return make_problem(problem_id, content, program, problem=problem, tests=tests, references=references)


def read_tests(problem: Problem) -> CodeTests:
    """The tests of a problem.

    Raises:
        TaskError: they are malformed.
    """
    tests = problem.data["tests"]
    return tests if isinstance(tests, CodeTests) else parse_tests(f"problem {problem.id}", tests)


def prompt(problem: str, starter: str, function: str) -> str:
    """What is asked for: a program, starter code completed, or a function of that name."""
    if not function:
        return STDIN_PROMPT.format(problem=problem)
    if starter.strip():
        return STARTER_PROMPT.format(problem=problem, starter=starter.rstrip())
    return FUNCTION_PROMPT.format(problem=problem, function=function)


def code_grading(grading: GradingConfig, splits: Mapping[Split, Sequence[Problem]] = MappingProxyType({})) -> Grading:
    """What grades programs on the tests of their problems.

    Args:
        grading: whether they are run, and how.
        splits: its problems, of which those are counted that accept outputs which no comparison can tell.
    """
    grader = CodeGrader(grading.allow_code_execution, grading.grading_workers, grading.sandbox)
    problems = [problem for split in splits.values() for problem in split]
    several = sum(problem.data["tests"].answers.rule == SEVERAL_OUTPUTS for problem in problems)
    counted = f"{several} of {len(problems)} problems accept several outputs, and a right one may be rejected"
    return Grading(
        lambda problem, solution: grader.grade(read_tests(problem), solution),
        grader.close,
        "; ".join(note for note in (grader.announce(), counted if several else "") if note),
    )
