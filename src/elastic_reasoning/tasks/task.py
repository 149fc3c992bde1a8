"""What a task is: it yields problems and grades solutions.

    task: Task = Arithmetic()
    problem = task.problems("test", limit=1)[0]
    task.grade(problem, "answer 3").correct

Evaluation and training rewards share the one `grade`, so that what is learnt is what is measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from elastic_reasoning.grading.grade import Grade

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One question.

    Attributes:
        id: stable name of the problem, the same in every run and split size.
        messages: chat messages, each with "role" and "content".
        answer: the right answer as the task writes it; a solution that is right, where programs are asked for and
            one is published.
        data: what else the task needs to grade it, such as tests, as plain values. `elastic validate` looks for
            `problem`, its text without the words around it, and `references`, solutions that must be graded right.
    """

    id: str
    messages: tuple[dict[str, str], ...]
    answer: str
    data: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Task(Protocol):
    """A source of problems that can grade what comes back."""

    @property
    def name(self) -> str:
        """The name the task goes by in commands and records."""

    @property
    def note(self) -> str:
        """What its user should know of how it grades; empty where there is nothing to say."""

    def problems(self, split: Split, limit: int | None = None) -> list[Problem]:
        """The first `limit` problems of a split (all of them for `None`), in a fixed order.

        Raises:
            TaskError: no such split, or a limit that cannot be met.
        """

    def grade(self, problem: Problem, solution: str) -> Grade:
        """Grade the text of the solution phase. May be called from several threads at once.

        Args:
            problem: what was asked.
            solution: everything after the closing delimiter, forced text included, the end-of-sequence token
                left out. A solution that was cut is graded as it stands.
        """

    def close(self) -> None:
        """End what grading has started, such as worker processes."""
