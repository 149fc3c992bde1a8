"""A task whose problems are rows of a table: all benchmarks, and a JSONL of one's own.

What goes with the rows of every benchmark is here too: ids, splits, and the fixes that were applied.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from elastic_reasoning.core.codec import whole_letters
from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.tasks.fields import Field, Row, name, read_field
from elastic_reasoning.tasks.fingerprint import fingerprint
from elastic_reasoning.tasks.fixes import Fix
from elastic_reasoning.tasks.rows import Hub, SourceRow, read_file, read_hub
from elastic_reasoning.tasks.task import Problem, Split

ID = ("id",)
VALIDATION_ONE_IN = 20


@dataclass(frozen=True, slots=True)
class Grading:
    """How solutions are graded.

    Attributes:
        grade: grades the solution of a problem; from several threads at once.
        close: ends the processes that grading has started.
        note: what its user should know of it.
    """

    grade: Callable[[Problem, str], Grade]
    close: Callable[[], None] = lambda: None
    note: str = ""


@dataclass(frozen=True)
class TableTask:
    """A task whose problems are known.

    Attributes:
        name: the name it goes by in commands and records.
        splits: the problems of each split that it has.
        grading: how solutions are graded.
        fixes: what was mended in the published rows, by the problem's id.
    """

    name: str
    splits: Mapping[Split, Sequence[Problem]]
    grading: Grading
    fixes: Mapping[str, Fix] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What its user should know of how it grades."""
        return self.grading.note

    def problems(self, split: Split, limit: int | None = None) -> list[Problem]:
        """The first `limit` problems of a split, in the order of the source.

        Raises:
            TaskError: no such split, or a limit beyond its size.
        """
        if split not in self.splits:
            raise TaskError(f"task {self.name} has no split {split!r}; it has {' and '.join(self.splits)}")
        problems = self.splits[split]
        if limit is not None and not 0 <= limit <= len(problems):
            raise TaskError(f"limit {limit} of task {self.name}: split {split!r} has 0 to {len(problems)} problems")
        return list(problems[:limit])

    def grade(self, problem: Problem, solution: str) -> Grade:
        """Grade a solution with the task's grader."""
        return self.grading.grade(problem, solution)

    def close(self) -> None:
        """End the grader's processes."""
        self.grading.close()


def source_rows(task: str, data: str, hubs: Sequence[Hub]) -> Iterator[SourceRow]:
    """The rows of a local file if one is named, else of the hub.

    Raises:
        TaskError: they cannot be read.
    """
    return read_file(Path(data)) if data else chain.from_iterable(read_hub(task, hub) for hub in hubs)


def make_problem(problem_id: str, content: str, answer: str, **data: Any) -> Problem:
    """A problem asked in one message of the user.

    Among its data are `problem`, its text without the words around it, and `references`, solutions that must be
    graded right; there are none where none are published. Halves of letters, which a file may hold and no tokenizer
    takes, are asked as what stands for no letter.
    """
    return Problem(problem_id, ({"role": "user", "content": whole_letters(content)},), answer, data)


class ProblemIds:
    """ProblemIds the problems of a task: what the row says, or a name from the problem's words.

    A whole number becomes "TASK-60". A problem that is asked a second time without an id of its own gets "-2".
    """

    def __init__(self, task: str, names: tuple[str, ...] = ID) -> None:
        self._task = task
        self._field: Field[str | int | None] = Field(names, name, required=False)
        self._places: dict[str, str] = {}

    def id_of(self, place: str, row: Row, problem: str) -> str:
        """The id of a row.

        Raises:
            TaskError: another row has that id.
        """
        given = read_field(self._field, place, row)
        if given is None:
            problem_id = unnumbered = f"{self._task}-{fingerprint(problem)}"
            number = 1
            while problem_id in self._places:
                number += 1
                problem_id = f"{unnumbered}-{number}"
        else:
            problem_id = given if isinstance(given, str) else f"{self._task}-{given}"
            if problem_id in self._places:
                raise TaskError(
                    f"{place}: its id {problem_id!r} is also that of {self._places[problem_id]}; ids must be different"
                )
        self._places[problem_id] = place
        return problem_id


def test_only(problems: Sequence[Problem]) -> dict[Split, Sequence[Problem]]:
    """A benchmark, which has test problems only."""
    return {"test": problems}


def train_val_split(problems: Sequence[Problem]) -> dict[Split, Sequence[Problem]]:
    """A training set with one problem in twenty held out for validation.

    The split of a problem is read from a hash of its words: it is the same whatever else is loaded, and a problem
    that stands there twice is not held out from itself.
    """
    held_out = [int(fingerprint(problem.data["problem"]), 16) % VALIDATION_ONE_IN == 0 for problem in problems]
    return {
        "train": [problem for problem, held in zip(problems, held_out, strict=True) if not held],
        "validation": [problem for problem, held in zip(problems, held_out, strict=True) if held],
    }
