"""A cluster without Ray: workers that compute when their calls are answered, and are lost when a test says so.

Nothing runs by itself: `Clusters.turn()` answers one call, so that each order of events can be tried.
"""

import pickle
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Any

from elastic_reasoning.engines.ray.handles import Loss
from elastic_reasoning.engines.ray.worker import Ended, Event, Failed, Opened, OpenWork, Result, Worker


class LostError(Exception):
    """What a call fails with whose worker is lost."""


class StandIn:
    """One worker. It does a piece of an item each time it is asked."""

    def __init__(self, cluster: "StandInCluster", slot: int) -> None:
        self.cluster, self.slot = cluster, slot
        self.is_open = self.is_stopped = False
        self.items: list[tuple[int, Any]] = []
        self.left: list[Any] | None = None
        self.call: Future[list[Event]] | None = None
        self.num_made = 0

    def exchange(self, items: Sequence[tuple[int, Any]]) -> Future[list[Event]]:
        assert self.call is None, "one call at a time"
        assert not self.is_stopped
        self.items += items
        assert len(self.items) <= 2
        self.call = Future()
        return self.call

    def interrupt(self, word: Any) -> None:
        self.cluster.words.append((self.slot, word))

    def loss(self, error: BaseException) -> Loss:
        return Loss(str(error), by_item="process" in str(error))

    def stop(self) -> None:
        self.is_stopped = True

    def answer(self) -> None:
        """Answer the call that waits, with one thing."""
        call, self.call = self.call, None
        assert call is not None
        call.set_result([self._event()])

    def _event(self) -> Event:
        if not self.is_open:
            self.is_open = True
            refusal = self.cluster.refusal
            return Failed(refusal) if refusal else Opened(f"machine {self.slot}")
        if self.left is None:
            self.left = [*self.cluster.results_of(self.items[0][1])]
        if not self.left:
            self.left = None
            return Ended(self.items.pop(0)[0])
        value = self.left.pop(0)
        if isinstance(value, Failed):
            return value
        self.num_made += 1
        self.cluster.made.append(value)
        return Result(value)

    def lose(self, reason: str) -> None:
        """The worker is gone: what its call would have brought is too."""
        call, self.call, self.is_stopped = self.call, None, True
        assert call is not None
        call.set_exception(LostError(reason))


class StandInCluster:
    """Workers for a pool.

    Attributes:
        num_rooms: workers that there is room for; calls of others are not answered.
        workers: all that were started.
        made: every result that a worker has made, also if it never came back.
        words: interrupts, as (slot, word).
        refusal: why workers cannot begin, if they cannot.

    Args:
        results_of: what comes of an item; a `Failed` among it is an exception.
    """

    def __init__(self, results_of: Callable[[Any], Iterable[Any]], num_rooms: int = 2) -> None:
        self.results_of, self.num_rooms = results_of, num_rooms
        self.workers: list[StandIn] = []
        self.made: list[Any] = []
        self.words: list[tuple[int, Any]] = []
        self.refusal = ""

    def room(self) -> int:
        return self.num_rooms

    def start(self, slot: int) -> StandIn:
        self.workers.append(StandIn(self, slot))
        return self.workers[-1]

    def in_words(self) -> str:
        return f"room for {self.num_rooms}"

    @property
    def calling(self) -> list[StandIn]:
        """Those that have room and a call that waits."""
        there = [worker for worker in self.workers if not worker.is_stopped][: self.num_rooms]
        return [worker for worker in there if worker.call is not None]


class InThread:
    """A worker in threads of this process; see `Worker`."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.is_stopped = False

    def exchange(self, items: Sequence[tuple[int, Any]]) -> Future[list[Event]]:
        sent, future = travelled([*items]), Future[list[Event]]()
        Thread(target=lambda: future.set_result(travelled(self.worker.exchange(sent))), daemon=True).start()
        return future

    def interrupt(self, word: Any) -> None:
        self.worker.interrupt(travelled(word))

    def loss(self, error: BaseException) -> Loss:
        raise error

    def stop(self) -> None:
        self.is_stopped = True


def travelled(value: Any) -> Any:
    """What comes of something that is sent to another process."""
    return pickle.loads(pickle.dumps(value))


class ThreadCluster:
    """Workers in threads of this process; what goes to them and comes back is pickled on the way."""

    def __init__(self, open_work: Callable[[int], OpenWork], num_rooms: int = 2) -> None:
        self.open_work, self.num_rooms = open_work, num_rooms
        self.workers: list[InThread] = []

    def room(self) -> int:
        return self.num_rooms

    def start(self, slot: int) -> InThread:
        self.workers.append(InThread(Worker(travelled(self.open_work(slot)))))
        return self.workers[-1]

    def in_words(self) -> str:
        return "threads"
