"""Whether a task can be trusted: its references pass its own grader, and other problems' references do not.

    with closing(load_task(TaskConfig("aime24"))) as task:
        result = validate(task, num_mismatches=200)

Of a task of code without published solutions only the tests are read.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import get_args

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.tasks.code import read_tests
from elastic_reasoning.tasks.references import doubt, doubt_choice
from elastic_reasoning.tasks.task import Problem, Split, Task


@dataclass(frozen=True, slots=True)
class Failure:
    """A reference that did not pass, or tests that cannot be read.

    Attributes:
        problem: id of the problem.
        reference: what was graded; empty where it is the tests.
        reason: why it did not pass.
    """

    problem: str
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reference of another problem that passed. The two may be the same value: it is to be looked at.

    Attributes:
        problem, reference: id of the problem, and its first reference.
        other, other_reference: id of the other problem, and the reference of it that passed.
    """

    problem: str
    reference: str
    other: str
    other_reference: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reference that a right answer may not be able to pass (`references`).

    Attributes:
        problem: id of the problem.
        reference: its answer.
        reason: what is wrong with it.
    """

    problem: str
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What validating a task has shown.

    Attributes:
        num_problems: by split.
        num_without_reference: problems for which no right solution is published; nothing of theirs is graded.
        num_tests: tests of programs, over all problems.
        num_references: references that were graded.
        num_mismatches: references of other problems that were graded.
        failures: own references that did not pass, and tests that cannot be read.
        accepted: references of other problems that passed.
        doubts: references that are malformed or implausible, although they pass.
    """

    num_problems: dict[str, int]
    num_without_reference: int
    num_tests: int
    num_references: int
    num_mismatches: int
    failures: tuple[Failure, ...]
    accepted: tuple[Accepted, ...]
    doubts: tuple[Doubt, ...]

    @property
    def num_passed(self) -> int:
        """References that passed."""
        return self.num_references - sum(bool(failure.reference) for failure in self.failures)


def validate(
    task: Task,
    num_mismatches: int = 200,
    seed: int = 0,
    workers: int = 0,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_grade: Callable[[], None] = lambda: None,
) -> Validation:
    """Grade every reference of a task, and a sample of wrong ones.

    Args:
        task: any task. A problem's references are `data["references"]`; of a task of one's own without them the
            reference is "Final Answer: " with the problem's answer.
        num_mismatches: pairs of two problems that are drawn; pairs whose references are the same text are left out.
        seed: of the draw.
        workers: gradings at one time; 0 for as many as there are cores.
        on_start, on_grade: told the number of gradings, and of each one.

    Raises:
        GradingError: nothing can be graded here, or it is not allowed.
    """
    by_split = problems_by_split(task)
    problems = [problem for each in by_split.values() for problem in each]
    num_tests, failures = _tests(problems)
    with_reference = [(problem, reference) for problem in problems for reference in references(problem)]
    pairs = _mismatches([problem for problem in problems if references(problem)], num_mismatches, seed)
    on_start(0, len(with_reference) + len(pairs))

    def grade(answered: tuple[Problem, str]) -> Grade:
        grade = task.grade(*answered)
        on_grade()
        return grade

    with ThreadPoolExecutor(workers or cpu_count()) as pool:
        verdicts = list(pool.map(grade, with_reference))
        wrong = list(pool.map(grade, [(problem, references(other)[0]) for problem, other in pairs]))
    failures += [
        Failure(problem.id, reference, verdict.reason or "wrong answer")
        for (problem, reference), verdict in zip(with_reference, verdicts, strict=True)
        if not verdict.correct
    ]
    accepted = [
        Accepted(problem.id, references(problem)[0], other.id, references(other)[0])
        for (problem, other), verdict in zip(pairs, wrong, strict=True)
        if verdict.correct
    ]
    return Validation(
        num_problems={split: len(each) for split, each in by_split.items()},
        num_without_reference=sum(not references(problem) for problem in problems),
        num_tests=num_tests,
        num_references=len(with_reference),
        num_mismatches=len(pairs),
        failures=tuple(failures),
        accepted=tuple(accepted),
        doubts=tuple(_doubts(task.name, problems)),
    )


def _doubts(task: str, problems: Sequence[Problem]) -> Iterator[Doubt]:
    """The references that are to be looked at: of mathematics, those that a box holds, and letters of options."""
    for problem in problems:
        if "options" in problem.data and (reason := doubt_choice(problem.data["options"], problem.answer)):
            yield Doubt(problem.id, problem.answer, reason)
        for answer in problem.data.get("answers", ()):
            if problem.data.get("grader", "math") != "math" or rf"\boxed{{{answer}}}" not in references(problem):
                continue
            if reason := doubt(task, problem.data.get("problem", ""), answer):
                yield Doubt(problem.id, answer, reason)


def problems_by_split(task: Task) -> dict[Split, list[Problem]]:
    """All problems of a task.

    Raises:
        TaskError: it has no split at all.
    """
    found: dict[Split, list[Problem]] = {}
    for split in get_args(Split):
        try:
            found[split] = task.problems(split)
        except TaskError as error:
            why = error
    if not found:
        raise why
    return found


def references(problem: Problem) -> Sequence[str]:
    """Solutions of a problem that must be graded right."""
    published: Sequence[str] | None = problem.data.get("references")
    return [f"Final Answer: {problem.answer}"] if published is None else published


def _tests(problems: Sequence[Problem]) -> tuple[int, list[Failure]]:
    """Read the tests of every problem that has some: their number, and those that cannot be read."""
    num_tests, failures = 0, []
    for problem in problems:
        if "tests" in problem.data:
            try:
                tests = read_tests(problem)
            except TaskError as error:
                failures.append(Failure(problem.id, "", str(error)))
            else:
                num_tests += len(tests.stdin) + len(tests.calls) + bool(tests.check)
    return num_tests, failures


def _mismatches(problems: Sequence[Problem], num: int, seed: int) -> list[tuple[Problem, Problem]]:
    """Pairs of a problem and another one whose reference is wrong for it."""
    others = len(problems) - 1
    drawn = random.Random(seed).sample(range(len(problems) * others), min(num, len(problems) * others))
    pairs = [(index // others, (index // others + 1 + index % others) % len(problems)) for index in drawn]
    return [
        (problems[one], problems[other])
        for one, other in pairs
        if _plain(references(problems[other])[0]) not in map(_plain, references(problems[one]))
    ]


def _plain(reference: str) -> str:
    """A reference without case and layout."""
    return "".join(reference.lower().split()).replace(".0}", "}")
