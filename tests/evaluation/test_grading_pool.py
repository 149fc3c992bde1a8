import threading
import time
from collections.abc import Callable, Iterator

import pytest

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.evaluation.grading_pool import AHEAD, in_threads
from elastic_reasoning.grading.grade import Grade

RIGHT = Grade(correct=True, answer="1")


def test_every_piece_of_work_comes_back_with_its_own_grade() -> None:
    work = ((number, lambda number=number: Grade(correct=number % 3 == 0, answer=str(number))) for number in range(500))
    found = dict(in_threads(work, 3))
    assert found == {number: Grade(correct=number % 3 == 0, answer=str(number)) for number in range(500)}


def test_a_slow_grade_holds_no_other_back() -> None:
    others_are_back = threading.Event()

    def slow() -> Grade:
        assert others_are_back.wait(30)
        return RIGHT

    order = []
    for item, _ in in_threads(((n, slow if n == 0 else lambda: RIGHT) for n in range(20)), 2):
        order.append(item)
        if len(order) == 19:
            others_are_back.set()
    assert order[-1] == 0
    assert sorted(order) == list(range(20))


def test_what_is_generated_is_held_back_when_graders_cannot_follow() -> None:
    taken = 0
    release = threading.Event()

    def wait() -> Grade:
        assert release.wait(30)
        return RIGHT

    def work() -> Iterator[tuple[int, Callable[[], Grade]]]:
        nonlocal taken
        for number in range(10 * AHEAD):
            taken += 1
            yield number, wait

    threading.Timer(0.2, release.set).start()
    assert next(in_threads(work(), 1))[1] == RIGHT
    assert taken == AHEAD


def test_what_cannot_be_graded_keeps_no_other_from_its_grade() -> None:
    def fail() -> Grade:
        raise GradingError("the tests do not load")

    found = dict(in_threads([("a", lambda: RIGHT), ("b", fail), ("c", lambda: RIGHT)], 2))
    assert found["a"] == found["c"] == RIGHT
    assert str(found["b"]) == "the tests do not load"


def test_a_failure_of_a_grader_is_raised_and_the_rest_is_not_begun() -> None:
    begun = []

    def fail() -> Grade:
        raise ZeroDivisionError("may not")

    def count(number: int) -> Grade:
        begun.append(number)
        time.sleep(0.05)
        return RIGHT

    work = [("fails", fail), *((n, lambda n=n: count(n)) for n in range(50))]
    with pytest.raises(ZeroDivisionError, match="may not"):
        list(in_threads(work, 1))
    assert len(begun) < 50
