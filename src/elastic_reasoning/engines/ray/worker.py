"""What one worker does: items in, results out, while its driver is busy with others.

    worker = Worker(open_work)                      # on a node: what `open_work` gives computes in a thread of its own
    worker.exchange([(0, first), (1, second)])      # [Opened(...), Result(...), ...]: what has come of it so far
    worker.exchange([])                             # and so on, until both are `Ended`

Nothing here knows of Ray: an actor is this class on another machine, and a test
runs it in a thread.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from queue import Empty, Queue, SimpleQueue
from threading import Thread
from typing import Any, Protocol

UNREAD = 4096
"""Results that a worker keeps for its driver before it computes no further."""


End = Callable[[BaseException | None], None]


class Work(Protocol):
    """What a worker does with an item; it is made on the worker."""

    def begin(self, item: Any, tell: Callable[[Any], None], end: End) -> None:
        """Work on an item, within this call or beyond it; the next item is begun when it returns.

        Args:
            item: what is to be done.
            tell: takes each result, from any thread.
            end: called when there are no more, or with the exception that ends the worker.
        """

    def interrupt(self, word: Any) -> None:
        """Take a word from the driver about an item that is being worked on, in another thread."""


OpenWork = Callable[[], Work]
"""Makes a worker's work there; what it holds is sent to it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The worker can begin. `where` names its machine."""

    where: str


@dataclass(frozen=True, slots=True)
class Result:
    """Something that came of an item."""

    value: Any


@dataclass(frozen=True, slots=True)
class Ended:
    """An item is done, of which there is the number."""

    number: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker cannot go on: an exception was raised. It is told in words, as not every exception can travel."""

    error: str


Event = Opened | Result | Ended | Failed


class Worker:
    """Works on items in a thread of its own.

    Args:
        open_work: called in that thread.
    """

    def __init__(self, open_work: OpenWork) -> None:
        self._items: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._events: Queue[Event] = Queue(UNREAD)
        self._work: Work | None = None
        Thread(target=self._run, args=(open_work,), name="elastic-worker", daemon=True).start()

    def exchange(self, items: Iterable[tuple[int, Any]]) -> list[Event]:
        """Take numbered items, and give what has happened since the last call; wait where nothing has."""
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
                number, item = self._items.get()
                work.begin(item, lambda value: self._events.put(Result(value)), partial(self._end, number))
        except BaseException as error:
            self._events.put(Failed(in_words(error)))

    def _end(self, number: int, error: BaseException | None) -> None:
        self._events.put(Ended(number) if error is None else Failed(in_words(error)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker works: it is entered before anything heavy is imported.

    Attributes:
        folder: where relative paths begin, if there is such a folder here; where the process stands if it is empty.
        threads: in how many of them each library computes.
    """

    folder: str
    threads: int

    def enter(self) -> None:
        """Have this process work here."""
        os.environ["OMP_NUM_THREADS"] = str(self.threads)
        if self.folder and os.path.isdir(self.folder):
            os.chdir(self.folder)


@dataclass(frozen=True, slots=True)
class OpenAt:
    """Makes a worker's work at a place."""

    place: Place
    open_work: OpenWork

    def __call__(self) -> Work:
        self.place.enter()
        return self.open_work()


def in_words(error: BaseException) -> str:
    """An exception in one line."""
    from elastic_reasoning.core.errors import ElasticError

    text = " ".join(str(error).split())
    return text if isinstance(error, ElasticError) and text else f"{type(error).__name__}: {text}"
