"""A driver's side of many workers: items are handed out, results come back, and what is lost is made again.

    pool = Pool(cluster, next_item, again, gave_up, bounds=(1, 8))
    for result in pool.run():
        ...

A worker has what it works on and one item that waits, so that it never stands idle and a loss costs no more than what
was being worked on. Whatever a lost worker had is given to others; of what it was working on only what is missing, in
pieces, as one of them may have been what killed it. One that has killed its worker three times is given up.

There is no polling: each worker has one call under way, and its end is an event. The pool knows nothing of Ray but what
`Cluster` says.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain, count
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.ray.handles import Cluster, Handle
from elastic_reasoning.engines.ray.worker import Ended, Event, Opened, Result

MOST_LOSSES = 3
"""Workers that one item may cost, or that may be lost one after the other before any has begun to work."""
LOOK_SECONDS = 2.0
"""How often to see whether there is room for more workers."""
IDLE_SECONDS = 60.0
"""How long a worker without work is kept, in case another one is lost."""
FIRST_WORD_SECONDS = 10.0
"""How long no worker may be there before a word is said; each further word comes after twice the time."""
MOST_SILENT_SECONDS = 600.0


@dataclass(eq=False, slots=True)
class Task:
    """An item that is to be done, and how many workers it has cost."""

    item: Any
    num_losses: int = 0


@dataclass(eq=False, slots=True)
class Member:
    """A worker of the pool.

    Attributes:
        slot: its number, which the next one takes over when it is lost.
        handle: what it is asked by.
        since: when it was started.
        begun: when it could begin to work.
        where: its machine, once it has begun.
        tasks: what it has been given, by their numbers and in order.
        unsent: those of them that go with the next call.
        num_results: what it has sent.
        calling: whether a call is under way.
        idle_since: when it ended its last task.
    """

    slot: int
    handle: Handle
    since: float
    begun: float = 0.0
    where: str = ""
    tasks: dict[int, Task] = field(default_factory=dict)
    unsent: list[tuple[int, Any]] = field(default_factory=list)
    num_results: int = 0
    calling: bool = False
    idle_since: float = 0.0


class Pool:
    """Workers that items are handed out to.

    Attributes:
        members: the workers there are, by their slots.
        num_lost: workers that were lost.
        num_wanted: workers that there are to be, if there is work for them.

    Args:
        cluster: where they run.
        next_item: the next item to do; `None` where there is none now.
        again: of an item whose worker was lost, what is still to be done; in pieces, where it says that the item may be
            to blame, so that only one of them is tried again in vain.
        gave_up: what comes of an item that has cost too many workers, instead of results.
        bounds: the fewest and the most workers; `None` where only the cluster bounds them.
        on_note: told what a person should know.
        num_running: items that a worker works on at once; it has another one that waits.
        stays: go on waiting for items, until `stop`.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        cluster: Cluster,
        next_item: Callable[[], Any],
        again: Callable[[Any, bool], Iterable[Any]],
        gave_up: Callable[[Any, str], Iterable[Any]],
        bounds: tuple[int, int | None] = (1, None),
        on_note: Callable[[str], None] = lambda note: None,
        *,
        num_running: int = 1,
        stays: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.members: dict[int, Member] = {}
        self.num_lost = 0
        self._cluster, self._next_item, self._again, self._gave_up = cluster, next_item, again, gave_up
        self._bounds, self._on_note, self._stays, self._clock = bounds, on_note, stays, clock
        self._num_running = num_running
        self._numbers = count()
        self._ahead: deque[Task] = deque()
        self._hungry: dict[Member, None] = {}
        self._events: SimpleQueue[tuple[Member, Future[list[Event]]] | None] = SimpleQueue()
        self._num_out = self._num_false_starts = 0
        self._ended_seconds = 0.0
        self._rates_at_end: list[float] = []
        self.num_wanted = 1
        self._looked = float("-inf")
        self._word_at, self._word_after = clock() + FIRST_WORD_SECONDS, FIRST_WORD_SECONDS

    def run(self) -> Generator[Any]:
        """The results of all items, as they come. When the caller stops, all workers are ended.

        Raises:
            EngineError: a worker cannot begin, or an item raises an error wherever it is worked on.
        """
        try:
            while self._hand_out() or self._stays:
                yield from self._wait()
        finally:
            self._rates_at_end = self.rates()
            for member in [*self.members.values()]:
                self._remove(member)

    def wake(self) -> None:
        """Have the pool look for items now; from any thread."""
        self._events.put(None)

    def stop(self) -> None:
        """Wait for no more items once those there are are done; from any thread."""
        self._stays = False
        self.wake()

    def seconds(self) -> float:
        """How long workers have been held, all together."""
        now = self._clock()
        return self._ended_seconds + sum(now - member.since for member in self.members.values())

    def rates(self) -> list[float]:
        """Results in a second of each worker that works, or did at the end, the slowest one first."""
        now = self._clock()
        return self._rates_at_end or sorted(
            each.num_results / max(now - each.begun, 1e-9) for each in self.members.values() if each.where
        )

    def _hand_out(self) -> bool:
        """Start workers and hand items out. Returns whether anything is still to be done."""
        self._look()
        while self._hungry and self._is_ahead(1):
            member = min(self._hungry, key=lambda member: len(member.tasks))
            # One that would wait is given only where every worker can have one: at the end none waits behind another.
            if len(member.tasks) >= self._num_running and not self._is_ahead(len(self.members)):
                break
            self._give(member)
        return bool(self._num_out) or self._is_ahead(1)

    def _is_ahead(self, number: int) -> bool:
        """Whether so many items wait to be handed out."""
        while len(self._ahead) < number and (item := self._next_item()) is not None:
            self._ahead.append(Task(item))
        return len(self._ahead) >= number

    def _give(self, member: Member) -> None:
        number, task = next(self._numbers), self._ahead.popleft()
        member.tasks[number] = task
        member.unsent.append((number, task.item))
        self._num_out += 1
        if len(member.tasks) > self._num_running:
            del self._hungry[member]
        if not member.calling:
            self._call(member)

    def _call(self, member: Member) -> None:
        unsent, member.unsent, member.calling = member.unsent, [], True
        member.handle.exchange(unsent).add_done_callback(lambda future: self._events.put((member, future)))

    def _look(self) -> None:
        """Have as many workers as there are room and work for, now and then."""
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        fewest, most = self._bounds
        wanted = max(fewest, self._cluster.room())
        self.num_wanted = wanted = wanted if most is None else min(wanted, most)
        while len(self.members) < wanted and self._is_ahead(1 + sum(not m.tasks for m in self.members.values())):
            slot = next(number for number in range(wanted) if number not in self.members)
            member = self.members[slot] = Member(slot, self._cluster.start(slot), now)
            self._call(member)
        for member in [*self._hungry]:
            if not member.tasks and now - member.idle_since > IDLE_SECONDS and not self._stays:
                self._remove(member)

    def _wait(self) -> Iterator[Any]:
        """Wait for events, and take all that there are."""
        try:
            event = self._events.get(timeout=LOOK_SECONDS)
            while True:
                if event is not None and self.members.get(event[0].slot) is event[0]:
                    yield from self._take(*event)
                event = self._events.get_nowait()
        except Empty:
            pass
        self._say_that_it_waits()

    def _take(self, member: Member, future: Future[list[Event]]) -> Iterator[Any]:
        """What has happened to a worker."""
        member.calling = False
        error = future.exception()
        if error is not None:
            loss = member.handle.loss(error)
            yield from self._lost(member, loss.reason, by_item=loss.by_item, raised=False)
            return
        for event in future.result():
            if isinstance(event, Result):
                member.num_results += 1
                yield event.value
            elif isinstance(event, Ended):
                del member.tasks[event.number]
                self._num_out -= 1
                member.idle_since = self._clock()
                self._hungry[member] = None
            elif isinstance(event, Opened):
                member.where, member.begun = event.where, self._clock()
                member.idle_since = member.begun
                self._hungry[member] = None
                self._num_false_starts = 0
            else:
                yield from self._lost(member, event.error, by_item=True, raised=True)
                return
        if member.tasks:
            self._call(member)

    def _lost(self, member: Member, reason: str, *, by_item: bool, raised: bool) -> Iterator[Any]:
        """Have others do what a lost worker had; some results where one of its items is given up."""
        self._remove(member)
        self._looked = float("-inf")
        self.num_lost += 1
        if not member.where:
            self._false_start(reason, raised=raised, counts=by_item)
            return
        self._on_note(f"a worker on {member.where} is lost, others go on with what it had: {reason}")
        self._num_out -= len(member.tasks)
        tasks = [*member.tasks.values()]
        left = [tasks[self._num_running :]]
        for task in tasks[: self._num_running]:
            num_losses = task.num_losses + by_item
            pieces = [Task(piece, num_losses) for piece in self._again(task.item, by_item)]
            if num_losses < MOST_LOSSES:
                left.append(pieces)
            elif raised:
                raise EngineError(f"on {member.where}: {reason}")
            else:
                for piece in pieces:
                    yield from self._gave_up(piece.item, f"{num_losses} workers died at it: {reason}")
        self._ahead.extendleft(chain.from_iterable(left))

    def _false_start(self, reason: str, *, raised: bool, counts: bool) -> None:
        """A worker did not come to begin: another one may, where others could, or where a machine was lost."""
        self._num_false_starts += counts
        any_open = any(member.where for member in self.members.values())
        if (raised and not any_open) or self._num_false_starts >= MOST_LOSSES:
            raise EngineError(f"a worker cannot begin: {reason}")
        self._on_note(f"a worker could not begin, another one is started: {reason}")

    def _remove(self, member: Member) -> None:
        del self.members[member.slot]
        self._hungry.pop(member, None)
        self._ended_seconds += self._clock() - member.since
        member.handle.stop()

    def _say_that_it_waits(self) -> None:
        """A word where there is work and no worker, again and again after ever longer times."""
        now = self._clock()
        if any(member.where for member in self.members.values()) or not self._is_ahead(1):
            self._word_at, self._word_after = now + FIRST_WORD_SECONDS, FIRST_WORD_SECONDS
        elif now >= self._word_at:
            self._word_after = min(2 * self._word_after, MOST_SILENT_SECONDS)
            self._word_at = now + self._word_after
            self._on_note(f"no worker is ready, waiting for one: {self._cluster.in_words()}")
