import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.ray.worker import (
    UNREAD,
    Ended,
    Event,
    Failed,
    OpenAt,
    Opened,
    Place,
    Result,
    Worker,
    in_words,
)


class Doubling:
    """Doubles each number of an item."""

    def __init__(self) -> None:
        self.words: list[Any] = []

    def begin(self, item: list[int], tell: Callable[[int], None], end: Callable[[BaseException | None], None]) -> None:
        for number in item:
            tell(2 * number)
        end(None)

    def interrupt(self, word: Any) -> None:
        self.words.append(word)


def all_of(worker: Worker, items: list[tuple[int, Any]], num_ended: int) -> list[Event]:
    """Everything up to the end of so many items, asked for as a driver does."""
    events: list[Event] = []
    while sum(isinstance(event, Ended) for event in events) < num_ended:
        events += worker.exchange(items)
        items = []
    return events


def test_items_are_done_one_after_the_other_and_told_of_as_they_come() -> None:
    worker = Worker(Doubling)
    (opened, *events) = all_of(worker, [(4, [1, 2]), (5, []), (9, [3])], 3)
    assert isinstance(opened, Opened)
    assert events == [Result(2), Result(4), Ended(4), Ended(5), Result(6), Ended(9)]


def test_one_that_is_not_asked_computes_no_further_than_so_much() -> None:
    worker = Worker(Doubling)
    num_results = 3 * UNREAD
    events = all_of(worker, [(0, [*range(num_results)])], 1)
    assert [event.value for event in events if isinstance(event, Result)] == [2 * n for n in range(num_results)]
    assert worker._events.maxsize == UNREAD


def test_what_goes_wrong_is_told_in_words() -> None:
    def refuses() -> Doubling:
        raise EngineError("no such\n model")

    assert Worker(refuses).exchange([]) == [Failed("no such model")]
    worker = Worker(Doubling)
    events = worker.exchange([(0, ["x", None])])
    while not isinstance(events[-1], Failed):
        events += worker.exchange([])
    assert events[1:] == [Result("xx"), Failed("TypeError: unsupported operand type(s) for *: 'int' and 'NoneType'")]


def test_words_reach_the_work_once_it_is_there() -> None:
    work, may_open = Doubling(), threading.Event()

    def opens() -> Doubling:
        may_open.wait(60)
        return work

    worker = Worker(opens)
    worker.interrupt("too early")
    may_open.set()
    worker.exchange([])
    worker.interrupt("now")
    assert work.words == ["now"]


@pytest.mark.parametrize(("error", "text"), [(ValueError("a\n b"), "ValueError: a b"), (EngineError("no"), "no")])
def test_an_error_is_one_line(error: Exception, text: str) -> None:
    assert in_words(error) == text


def test_a_worker_works_where_its_driver_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert isinstance(OpenAt(Place(str(tmp_path), 3), Doubling)(), Doubling)
    assert Path.cwd() == tmp_path
    Place("/no/such/folder", 2).enter()
    assert Path.cwd() == tmp_path
    assert os.environ["OMP_NUM_THREADS"] == "2"
