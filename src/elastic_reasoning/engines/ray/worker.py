"""What one worker does: items in, results out, while its driver is busy with others.

    worker = Worker(open_work)          # on a node: what `open_work` gives computes in a thread of its own
    worker.exchange([first, second])    # [Opened(...), Result(...), ...]: what has come of it so far
    worker.exchange([])                 # and so on, until both are `Ended`

A worker does one item after the other. Nothing here knows of Ray: an actor is this class on another machine, and a test
runs it in a thread.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, Queue, SimpleQueue
from threading import Thread
from typing import Any, Protocol

UNREAD = 4096
"""Results that a worker keeps for its driver before it computes no further."""


class Work(Protocol):
    """What a worker does with an item; it is made on the worker."""

    def results(self, item: Any) -> Iterable[Any]:
        """What comes of an item, as it comes."""

    def interrupt(self, word: Any) -> None:
        """Take a word from the driver about the item that is being worked on, in another thread."""

    def close(self) -> None:
        """Free what it holds."""


OpenWork = Callable[[], Work]
"""Makes a worker's work there; what it holds is sent to it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The worker can begin. `where` names its machine."""

    where: str


@dataclass(frozen=True, slots=True)
class Result:
    """Something that came of the item that is being worked on."""

    value: Any


@dataclass(frozen=True, slots=True)
class Ended:
    """The item that was being worked on is done."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker cannot go on: an exception was raised. It is told in words, as not every exception can travel."""

    error: str


Event = Opened | Result | Ended | Failed


class Worker:
    """Works on items in a thread of its own.

    Args:
        open_work: called in that thread.
        folder: where relative paths begin, if there is such a folder here; where this process stands if it is empty.
        threads: of which each library that computes takes so many.
    """

    def __init__(self, open_work: OpenWork, folder: str = "", threads: int = 1) -> None:
        enter(folder, threads)
        self._items: SimpleQueue[Any] = SimpleQueue()
        self._events: Queue[Event] = Queue(UNREAD)
        self._work: Work | None = None
        Thread(target=self._run, args=(open_work,), name="elastic-worker", daemon=True).start()

    def exchange(self, items: Iterable[Any]) -> list[Event]:
        """Take items, and give what has happened since the last call; wait where nothing has."""
        for item in items:
            self._items.put(item)
        return [self._events.get(), *self._waiting()]

    def interrupt(self, word: Any) -> None:
        """Hand a word to the work, beside whatever it does."""
        if self._work is not None:
            self._work.interrupt(word)

    def _waiting(self) -> Iterator[Event]:
        try:
            while True:
                yield self._events.get_nowait()
        except Empty:
            return

    def _run(self, open_work: OpenWork) -> None:
        try:
            self._work = work = open_work()
            self._events.put(Opened(socket.gethostname()))
            while True:
                for value in work.results(self._items.get()):
                    self._events.put(Result(value))
                self._events.put(Ended())
        except BaseException as error:
            self._events.put(Failed(in_words(error)))


def enter(folder: str, threads: int) -> None:
    """Have relative paths and the number of threads mean here what the driver says; it comes before heavy imports."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if folder and os.path.isdir(folder):
        os.chdir(folder)


def in_words(error: BaseException) -> str:
    """An exception in one line."""
    from elastic_reasoning.core.errors import ElasticError

    text = " ".join(str(error).split())
    return text if isinstance(error, ElasticError) and text else f"{type(error).__name__}: {text}"
