"""LiveCodeBench: programs that are run on tests, by release and by the date of the contest.

    load_task(TaskConfig("livecodebench", release="v5", since="2024-08-01", until="2025-01-31"))

Release vN is the first N files of `livecodebench/code_generation_lite`, read as they lie there: its own loading
script no longer runs. A local file is taken to be the release that it is.
"""

from datetime import date, datetime
from typing import Any

from elastic_reasoning.core.errors import TaskError, unknown
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.tasks.code import (
    CHECKER,
    ENTRY_POINT,
    METADATA,
    OF_PROGRAMS,
    STARTER,
    code_grading,
    make_code_problem,
    parse_tests,
    prompt,
)
from elastic_reasoning.tasks.code_tests import Published
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Field, read_field, text
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.rows import Hub, SourceRow
from elastic_reasoning.tasks.stated_answers import stated_answers
from elastic_reasoning.tasks.table import ProblemIds, TableTask, source_rows, test_only
from elastic_reasoning.tasks.task import Problem

TASKS = ("livecodebench",)
HUB = "livecodebench/code_generation_lite"  # unverified, like its revision: no hub could be asked
RELEASES = {f"v{n}": ("test.jsonl", *(f"test{k}.jsonl" for k in range(2, n + 1))) for n in range(1, 7)}
LATEST = "v6"

LIMITS = Limits(seconds=6.0, memory_mb=4096, total_seconds=600.0)
"""6 s a test is LiveCodeBench's own limit."""


def day(value: Any) -> date:
    """A date as text, alone or with a time; Parquet and `datasets` may have made a date of it."""
    if isinstance(value, datetime):
        return value.date()
    try:
        return datetime.fromisoformat(value).date()
    except (TypeError, ValueError):
        raise ValueError("a date as YYYY-MM-DD") from None


PROBLEM = Field(("problem", "question_content"), text)
DATE = Field(("contest_date",), day)
TESTS: Field[Any] = Field(("tests", "public_test_cases"), lambda value: value)
PRIVATE: Field[Any] = Field(("private_test_cases",), lambda value: value, required=False)


def load(task: TaskConfig, grading: GradingConfig) -> TableTask:
    """The problems of a release whose contest was in the window of dates, with their grader.

    Raises:
        TaskError: no such release, a date that is none, an empty window, or malformed rows.
    """
    refuse_meaningless(task, grading, "data", "release", "since", "until", *OF_PROGRAMS)
    if task.data and task.release:
        raise TaskError(f"release {task.release!r}: the file {task.data} is the release that it is; leave one out")
    release = task.release or LATEST
    if release not in RELEASES:
        raise TaskError(unknown("release", release, RELEASES))
    since = _bound("since", task.since) or date.min
    until = _bound("until", task.until) or date.max
    ids = ProblemIds(task.name, ("id", "question_id"))
    found = source_rows(task.name, task.data, (Hub(HUB, files=RELEASES[release]),))
    problems = [_problem(ids, each) for each in found if since <= read_field(DATE, *each) <= until]
    if not problems:
        raise TaskError(f"task {task.name}: no contest from {since} to {until}; widen since and until")
    splits = test_only(problems)
    return TableTask(task.name, splits, code_grading(grading, splits))


def _bound(option: str, value: str) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise TaskError(f"{option} {value!r}: must be a date as YYYY-MM-DD") from None


def _problem(ids: ProblemIds, source_row: SourceRow) -> Problem:
    place, row = source_row
    problem, starter = read_field(PROBLEM, place, row), read_field(STARTER, place, row)
    function = read_field(ENTRY_POINT, place, row) or read_field(METADATA, place, row)
    public, private = read_field(TESTS, place, row), read_field(PRIVATE, place, row)
    # Private tests are not unpacked here: those of a release are several gigabytes.
    answers = stated_answers(problem, read_field(CHECKER, place, row))
    called = parse_tests(place, Published((public,), function, LIMITS)).entry_point
    tests = Published((public,) if private is None else (public, private), function, LIMITS, answers)
    return make_code_problem(ids.id_of(place, row, problem), prompt(problem, starter, called), problem, tests, ())
