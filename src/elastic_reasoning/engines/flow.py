"""Many walks on their way through an engine at once, for `elastic_reasoning.engines.engine.run`."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.job import lent_by

UNREAD = 2
"""Finished traces that wait to be read, in capacities, before no more walks are begun."""
ABORT_SECONDS = 60.0
"""How long an engine may take to let go of what was given up."""


class Taker(Protocol):
    """Of an engine, what takes walks."""

    @property
    def capacity(self) -> int: ...

    def submit(self, walks: Sequence[Walk], listen: Listen | None = None) -> list[Future[Walk]]: ...


@runtime_checkable
class Worker(Protocol):
    """An engine that computes in this process, in whichever thread."""

    def work(self, lender: object, done: Callable[[], bool]) -> None:
        """Compute in this thread, for whoever lends it (`elastic_reasoning.engines.job.lent_by`).

        It returns when `done()`, or when another thread computes already or there is nothing to compute.
        """


class Flow:
    """Walks on their way through an engine: some under way, some finished and not yet read."""

    def __init__(self, engine: Taker, walks: Iterable[Walk], listen: Listen | None) -> None:
        self.finished: SimpleQueue[Future[Walk]] = SimpleQueue()
        self._engine, self._walks, self._listen = engine, iter(walks), listen
        self._under_way: dict[Future[Walk], Walk] = {}
        self._num_under_way = 0  # branches of one walk each by itself
        self._more = True
        self._filling = False
        self._lock = threading.RLock()  # an engine may finish a walk within the call that submits it

    def wait_for_one(self) -> bool:
        """Whether there is, or will be, another one to read."""
        with self._lock:
            return bool(self._under_way) or not self.finished.empty()

    def get(self) -> Future[Walk]:
        """The next one that is over; an engine that computes in this process does so in this thread meanwhile."""
        self._work(lambda: not self.finished.empty())
        return self.finished.get()

    def _work(self, done: Callable[[], bool]) -> None:
        if isinstance(self._engine, Worker):
            self._engine.work(self, done)

    def fill(self, first: bool = False) -> None:
        """Submit as many walks as there is room for. The first call is made even for none: processes that share a
        model ask it together."""
        with self._lock:
            if self._filling:  # the call that goes on will see to it
                return
            self._filling = True
            try:
                while (walks := self._next()) or first:
                    first = False
                    with lent_by(self):
                        futures = self._engine.submit(walks, self._listen)
                    for walk, future in zip(walks, futures, strict=True):
                        self._under_way[future] = walk
                        future.add_done_callback(self._done)
            finally:
                self._filling = False

    def _next(self) -> list[Walk]:
        """Walks to submit; those that are over already are finished as they are, if nobody is to be told of them."""
        walks: list[Walk] = []
        most = self._engine.capacity
        while self._more and self._num_under_way < most and self.finished.qsize() < UNREAD * most:
            walk = next(self._walks, None)
            if walk is None:
                self._more = False
            elif walk.call is None and self._listen is None:
                self.finished.put(_resolved(walk))
            else:
                walks.append(walk)
                self._num_under_way += walk.num_branches
        return walks

    def _done(self, future: Future[Walk]) -> None:
        with self._lock:
            self._num_under_way -= self._under_way.pop(future).num_branches
            self._more = self._more and not future.cancelled() and future.exception() is None
            self.finished.put(future)
            try:
                self.fill()
            except BaseException as error:  # of the walks, or of an engine that takes no more: it is the reader's
                self._more = False
                self.finished.put(_resolved(error))

    def stop(self) -> None:
        """Give up what is under way, and wait until the engine has let go of it."""
        with self._lock:
            self._more = False
            under_way = dict(self._under_way)
        for walk in under_way.values():
            walk.interrupt(Finish.ABORT)
        self._work(lambda: all(future.done() for future in under_way))
        wait(under_way, ABORT_SECONDS)


def _resolved(outcome: Walk | BaseException) -> Future[Walk]:
    future: Future[Walk] = Future()
    if isinstance(outcome, Walk):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)
    return future
