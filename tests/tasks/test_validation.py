from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from elastic_reasoning.core.errors import GradingError, TaskError
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.code_tests import Published
from elastic_reasoning.tasks.table import Grading, TableTask, make_problem
from elastic_reasoning.tasks.task import Problem, Split
from elastic_reasoning.tasks.validation import problems_by_split, validate


def table(problems: Sequence[Problem], accepted: Sequence[str] = ()) -> TableTask:
    """A task that accepts the right answer and some others."""

    def grade(problem: Problem, solution: str) -> Grade:
        correct = solution in (problem.answer, *accepted)
        return Grade(correct, solution, None if correct else "wrong answer")

    return TableTask("t", {"test": problems}, Grading(grade))


def asked_for(*answers: str) -> list[Problem]:
    return [make_problem(f"p{n}", "?", answer, references=(answer,)) for n, answer in enumerate(answers)]


def test_all_is_well() -> None:
    seen: list[tuple[int, int]] = []
    steps: list[None] = []
    found = validate(
        table(asked_for("1", "2", "3")), 6, on_start=lambda *n: seen.append(n), on_grade=lambda: steps.append(None)
    )
    assert (found.num_problems, found.num_references, found.num_passed, found.num_mismatches) == ({"test": 3}, 3, 3, 6)
    assert (found.failures, found.accepted, found.num_without_reference, found.num_tests) == ((), (), 0, 0)
    assert seen == [(0, 9)]
    assert len(steps) == 9


def test_a_reference_that_fails_is_listed() -> None:
    wrong = make_problem("p2", "?", "3", references=("4",))
    found = validate(table([*asked_for("1", "2"), wrong]), 0)
    (failure,) = found.failures
    assert (failure.problem, failure.reference, failure.reason) == ("p2", "4", "wrong answer")
    assert (found.num_passed, found.num_mismatches) == (2, 0)


def test_a_mismatch_that_is_accepted_is_listed() -> None:
    found = validate(table(asked_for("1", "2"), accepted=("2",)), 10)
    (accepted,) = found.accepted
    assert (accepted.problem, accepted.reference, accepted.other, accepted.other_reference) == ("p0", "1", "p1", "2")
    assert found.num_mismatches == 2
    assert found.failures == ()


def test_references_that_are_the_same_text_are_no_mismatch() -> None:
    assert validate(table(asked_for(r"\boxed{27.0}", r"\boxed{ 27 }", r"\boxed{28}")), 100).num_mismatches == 4


def test_the_draw_depends_on_the_seed_alone() -> None:
    task = table(asked_for(*map(str, range(100))), accepted=[str(n) for n in range(50)])
    first = validate(task, 40, seed=1)
    assert first == validate(task, 40, seed=1)
    assert first != validate(task, 40, seed=2)
    assert first.num_mismatches == 40


@pytest.mark.parametrize("num", [0, 1])
def test_few_problems(num: int) -> None:
    assert validate(table(asked_for("1", "2")[:num]), 5).num_mismatches == 0


def test_a_task_of_ones_own_says_what_its_answers_are() -> None:
    found = validate(Arithmetic(), 500)
    assert found.num_problems == {"train": 8192, "validation": 512, "test": 1024}
    assert (found.num_references, found.failures, found.accepted) == (8192 + 512 + 1024, (), ())


def test_problems_without_a_reference_and_tests_that_cannot_be_read() -> None:
    tests = [{"input": "1", "output": "1"}, {"input": "2", "output": "2"}]
    good = make_problem("good", "?", "", references=(), tests=Published((tests,), "", Limits()))
    bad = make_problem("bad", "?", "", references=(), tests=Published(("AAAA",), "", Limits()))
    found = validate(table([good, bad]))
    assert (found.num_without_reference, found.num_tests, found.num_references) == (2, 2, 0)
    (failure,) = found.failures
    assert failure.problem == "bad"
    assert failure.reason.startswith("problem bad, tests: expected JSON")


def test_a_grader_that_may_not_run_is_an_error() -> None:
    def grade(problem: Problem, solution: str) -> Grade:
        raise GradingError("not allowed")

    with pytest.raises(GradingError, match="not allowed"):
        validate(TableTask("t", {"test": asked_for("1")}, Grading(grade)))


@dataclass(frozen=True)
class Empty(Arithmetic):
    def problems(self, split: Split, limit: int | None = None) -> list[Problem]:
        raise TaskError("nothing here")


def test_a_task_without_any_split() -> None:
    with pytest.raises(TaskError, match="nothing here"):
        problems_by_split(Empty())
