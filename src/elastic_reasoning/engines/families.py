"""Walks that think several times, on any engine: what it is given are their branches.

    @runs_branches
    def submit(self, walks, listen=None, until=None): ...      # is given walks of one thinking alone

Branches are walks like any others: they wait for rows and run beside others, and none waits for another, so that a
family that is larger than its engine comes to its end too. A listener is told of the chosen branch alone, once it is
chosen: nothing that was told is ever taken back.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial, wraps
from typing import Any, TypeVar, cast

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delta import Delta, Listen
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.job import Job, lent_by

Submit = TypeVar("Submit", bound=Callable[..., list[Future[Walk]]])


def runs_branches(submit: Submit) -> Submit:
    """The `submit` of an engine that takes walks of one thinking, for walks of several too."""

    @wraps(submit)
    def submit_all(
        engine: Any, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        single = [walk for walk in walks if walk.call is None or not walk.branches]
        if len(single) == len(walks):
            return submit(engine, walks, listen, until)
        futures = dict(zip(map(id, single), submit(engine, single, listen, until) if single else (), strict=True))
        take = partial(submit, engine)
        families = [_Family(Job(walk, listen, until), take) for walk in walks if id(walk) not in futures]
        try:
            _begin(families, take)
        except BaseException:  # nothing was taken, or all is given up
            for future in futures.values():
                future.cancel()
            raise
        futures.update((id(family.walk), family.job.future) for family in families)
        return [futures[id(walk)] for walk in walks]

    return cast(Submit, submit_all)


def _begin(families: "Sequence[_Family]", take: Callable[[Sequence[Walk]], list[Future[Walk]]]) -> None:
    """Submit the first branches of families together."""
    waiting = [family for family in families if family.walk.call is not None]
    over = [family for family in families if family.walk.call is None]
    futures = iter(take([branch for family in waiting for branch in family.walk.branches]) if waiting else ())
    for family in waiting:
        family.wait_for([next(futures) for _ in family.walk.branches])
    for family in over:  # they cannot be begun so
        family.job.finish()


class _Family:
    """A walk of several thinkings that is under way.

    Args:
        job: what its caller was promised.
        take: the engine's, for more branches.
    """

    def __init__(self, job: Job, take: Callable[[Sequence[Walk]], list[Future[Walk]]]) -> None:
        self.job, self.walk = job, job.walk
        self._take = take
        self._lock = threading.Lock()
        self._num_left = 0
        self._failure: BaseException | None = None
        self._error: str | None = None
        self._num_thought: list[int] = []
        self._finished: list[int | None] = []
        self._limit: int | None = None
        if job.until is not None and self.walk.call is not None:
            self.walk.fail(f"strategy {self.walk.request.strategy!r} thinks several times: it cannot be handed on")
        self._listen()

    def _listen(self) -> None:
        """Hear of the tokens of new branches, where they may be ended before they are over or somebody counts."""
        first = len(self._num_thought)
        so_far = [branch.trace() for branch in self.walk.branches[:first]]
        for number in range(first, len(self.walk.branches)):
            self._num_thought.append(0)
            self._finished.append(None)
            ends = self.walk.ends_of(so_far)
            if self.job.listen is not None or ends is not None or (self.walk.siblings and self.walk.siblings.limit):
                self.walk.branches[number].listener = partial(self._hear, number, ends)

    def _hear(self, number: int, ends: Callable[[Sequence[float]], bool] | None, delta: Delta) -> None:
        with self._lock:
            ended = self._take_note(number, delta)
        if ends is not None and delta.phase is Phase.THINKING and delta.logprobs is not None and ends(delta.logprobs):
            ended.append(number)
        for n in ended:
            self.walk.branches[n].interrupt(Finish.STOP)

    def _take_note(self, number: int, delta: Delta) -> list[int]:
        """Count what was thought; the branches that come too late by now."""
        self.walk.num_aside += len(delta.ids)
        may_end = [number]
        if self._finished[number] is None:
            if delta.phase is Phase.THINKING:
                self._num_thought[number] += len(delta.ids) if delta.sampled else 0
            elif delta.phase in (Phase.WRAP_UP, Phase.CLOSING, Phase.SOLUTION):
                self._finished[number] = self._num_thought[number]
                self._limit = self.walk.limit_of(self._finished)
                may_end = [*range(len(self._finished))]
        most = self._limit
        return [n for n in may_end if most is not None and self._num_thought[n] > most]

    def wait_for(self, futures: Sequence[Future[Walk]]) -> None:
        """Go on when all of these are over."""
        self._num_left = len(futures)
        for future in futures:
            future.add_done_callback(self._over)

    def _over(self, future: Future[Walk]) -> None:
        failure = future.exception()
        error = future.result().error if failure is None else None
        with self._lock:
            self._failure, self._error = self._failure or failure, self._error or error
            self._num_left -= 1
            is_last = not self._num_left
        if failure is not None or error is not None:
            self.walk.interrupt(Finish.ABORT)
        if not is_last:
            return
        if self._failure is not None:
            return self.job.finish(self._failure)
        if self._error is not None:
            self.walk.fail(self._error)
        self._go_on()

    def _go_on(self) -> None:
        """Begin more branches, or choose among those that there are."""
        walk = self.walk
        more = walk.branch() if walk.error is None else []
        if more and walk.error is None:
            self._listen()
            try:
                with lent_by(self.job.lender):
                    futures = self._take(more)
            except ElasticError as error:
                return self.job.finish(error)
            return self.wait_for(futures)
        if walk.error is None:
            walk.choose()
        if self.job.listen is not None:
            walk.num_aside -= len(walk.ids)
            Cursor(walk, self.job.listen)  # tells what there is
        self.job.finish()
