"""Stored records graded again, without generating anything.

    result = regrade(Path("runs/sweep"), Path("runs/sweep-graded"))
    result.changes      # how often a verdict became another one

Graders are mended, references are corrected: what models wrote stays the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from elastic_reasoning.core.errors import GradingError, RecordsError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.evaluation.grading_pool import Verdict, in_threads
from elastic_reasoning.evaluation.growth import take_up
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.manifest import Manifest, read_manifest
from elastic_reasoning.records.record import NOT_GRADED, Record
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem, Split, Task

Outcome = tuple[bool | None, str | None]
"""(correct, why not)"""


@dataclass(frozen=True, slots=True)
class Regraded:
    """What grading again did.

    Attributes:
        num_records: records in the new folder.
        num_graded: of these, graded now.
        changes: (verdict before, verdict now) of each record graded now whose verdict is another one, counted.
    """

    num_records: int
    num_graded: int
    changes: Counter[tuple[Outcome, Outcome]]


def stored_task(manifest: Manifest, data: str, grading: GradingConfig) -> tuple[TaskConfig, GradingConfig]:
    """The task of a run, and how it is graded now: permissions are never stored, and rounding is as in the run if it is
    null."""
    kept = {name: manifest.config.get(name, "") for name in ("release", "since", "until")}
    if grading.round_to_reference is None:
        grading = replace(grading, round_to_reference=manifest.config.get("round_to_reference") or None)
    return TaskConfig(manifest.task, data or manifest.data, **kept), grading


def regrade(
    folder: Path,
    out: Path,
    data: str = "",
    grading: GradingConfig | None = None,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Regraded:
    """Grade every record of a folder again, into another one; started again, it goes on where it stopped.

    Args:
        folder: what a sweep wrote.
        out: where to.
        data: the task's rows, where they are no longer where the sweep found them.
        grading: how they are graded; whether answers are rounded as in the run, if nothing is said of it.
        on_start: called once with the number of records there are in `out` and that there will be.
        on_record: called with each record once it is written.
        on_note: called with what the task has to say of how it grades.

    Raises:
        RecordsError: a problem of the records is not in the task, or a folder cannot be used.
        ElasticError: the task cannot be loaded, or its grader cannot run.
    """
    if folder.resolve() == out.resolve():
        raise RecordsError(f"out {out} is the folder of the records itself: they are kept as they are, give another")
    manifest = read_manifest(folder)
    which, grading = stored_task(manifest, data, grading or GradingConfig())
    with closing(load_task(which, grading)) as task:
        problems = problems_of(task, manifest)
        if task.note:
            on_note(f"{manifest.task}: {task.note}")
        task.grade(problems[0], "")
        _, records = read_records(folder)
        config = {**manifest.config, "round_to_reference": bool(grading.round_to_reference)}
        asked = Manifest.new(manifest.task, manifest.split, manifest.seed, config, problems, which.data)
        changes: Counter[tuple[Outcome, Outcome]] = Counter()
        num_graded = 0
        with RecordsWriter(out) as writer:
            take_up(out, replace(asked, created=manifest.created, grown=manifest.grown))
            on_start(len(writer.done), len(records))
            left = records.where(np.array([key not in writer.done for key in records.keys()], np.bool_))  # noqa: SIM118
            by_id = {problem.id: problem for problem in problems}
            for before, now in _graded(task, by_id, left, grading.grading_workers):
                writer.write(now)
                num_graded += 1
                outcomes = _outcome(before), _outcome(now)
                changes[outcomes] += outcomes[0] != outcomes[1]
                on_record(now)
            return Regraded(len(writer.done), num_graded, +changes)


def problems_of(task: Task, manifest: Manifest) -> list[Problem]:
    """The problems of a run as the task has them now, in the run's order."""
    by_id = {problem.id: problem for problem in task.problems(cast(Split, manifest.split))}
    missing = [asked["id"] for asked in manifest.problems if asked["id"] not in by_id]
    if missing or not manifest.problems:
        raise RecordsError(
            f"{len(missing)} problems of the records are not in task {manifest.task} (the first: "
            f"{missing[0] if missing else 'there are none'}): give the rows they were made with by --data PATH"
        )
    return [by_id[asked["id"]] for asked in manifest.problems]


def _outcome(record: Record) -> Outcome:
    return record.correct, record.reason if record.error is None else record.error


def _graded(
    task: Task, problems: dict[str, Problem], records: Iterable[Record], workers: int
) -> Iterator[tuple[Record, Record]]:
    """Each record as it was and as it is graded now; one without a completion stays as it is."""

    def grade_of(record: Record) -> Callable[[], Verdict]:
        if record.error is not None and not record.error.startswith(NOT_GRADED):
            return lambda: None
        return lambda: task.grade(problems[record.problem], record.solution)

    read = ((record, _as_read_now(record)) for record in records)
    for (record, now), verdict in in_threads(((pair, grade_of(pair[1])) for pair in read), workers):
        yield record, _with(now, verdict)


def _as_read_now(record: Record) -> Record:
    """The record with what is now read as its solution: what stands behind the last closing delimiter."""
    closing = "".join(part["text"] for part in record.segments if part["phase"] == Phase.CLOSING).strip()
    times = record.solution.count(closing) if closing else 0
    solution = record.solution.rpartition(closing)[2] if times else record.solution
    return replace(record, solution=solution, closed_again=record.closed_again + times)


def _with(record: Record, verdict: Verdict) -> Record:
    """The record with its new verdict; how long the run took that made it says nothing of this one."""
    record = replace(record, seconds=0.0)
    match verdict:
        case None:
            return record
        case GradingError():
            without = {**_fields_of(Grade(correct=False, answer=None)), "correct": None}
            return replace(record, **without, error=f"{NOT_GRADED}{verdict}")
        case Grade():
            return replace(record, **_fields_of(verdict), error=None)


def _fields_of(grade: Grade) -> dict[str, Any]:
    """A verdict as fields of a record, which have the same names."""
    return {each.name: getattr(grade, each.name) for each in fields(grade)}
