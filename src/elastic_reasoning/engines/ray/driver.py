"""The driver's side of `RayEngine`: walks on their way to workers and back, in a thread of its own."""

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import count, groupby

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.ray.answering import About, Asked, Hello, Item, Moved, sampled_for
from elastic_reasoning.engines.ray.handles import Cluster
from elastic_reasoning.engines.ray.pool import Pool

logger = logging.getLogger(__name__)


class _ClosedError(Exception):
    """The engine is closed."""


class Driver:
    """Jobs on their way through a pool, in a thread of its own.

    Attributes:
        about: what the workers' engine is like, once one has begun.

    Args:
        cluster: where workers are.
        config: of engine ray.
    """

    def __init__(self, cluster: Cluster, config: EngineConfig) -> None:
        self.about: Future[About] = Future()
        self._rows = config.of_worker(0).rows
        self._keys = count()
        self._jobs: dict[int, Job] = {}
        self._waiting: deque[tuple[int, ...]] = deque()
        self._interrupted: deque[int] = deque()
        self._first: list[Item] = [Hello()]
        self._error: EngineError | None = None
        self._is_closed = False
        self._lock = threading.Lock()
        self._pool = Pool(
            cluster,
            self._next_item,
            self._again,
            self._gave_up,
            (config.ray.bounds[0], config.most_workers),
            logger.warning,
            num_running=self._rows,
            stays=True,
        )
        self._thread = threading.Thread(target=self._run, name="elastic-ray", daemon=True)
        self._thread.start()

    @property
    def capacity(self) -> int:
        """Walks that keep the workers busy."""
        return self._rows * self._pool.num_wanted

    def take(self, jobs: Sequence[Job]) -> None:
        """Have jobs done.

        Raises:
            EngineError: it is closed, or has failed before.
        """
        keyed = [(next(self._keys), job) for job in jobs]
        with self._lock:
            if self._error is not None:
                raise self._error
            self._jobs.update(keyed)
            for _, group in groupby(keyed, key=lambda each: each[1].walk.request.prompt.ids):
                self._waiting.append(tuple(key for key, _ in group))
        for key, job in keyed:
            job.walk.when_interrupted(partial(self._interrupt, key))
        self._pool.wake()

    def close(self) -> None:
        """Give everything up, and end the workers."""
        self._is_closed = True
        self._pool.wake()
        self._thread.join()

    def _run(self) -> None:
        error: EngineError | None = None
        try:
            for result in self._pool.run():
                if isinstance(result, About):
                    self.about.set_result(result)
                elif job := self._jobs.pop(result.key, None):
                    _move(job, result)
        except _ClosedError:
            pass
        except Exception as fault:
            error = fault if isinstance(fault, EngineError) else EngineError(f"the workers are lost: {fault}")
        with self._lock:
            self._error = error or EngineError("the engine is closed: make another one")
            jobs, self._jobs = self._jobs, {}
        if not self.about.done():
            self.about.set_exception(self._error)
        for job in jobs.values():
            job.walk.interrupt(Finish.ABORT)
            Cursor(job.walk, job.listen, job.until)
            job.finish(error)

    def _next_item(self) -> Item | None:
        """What the pool is to do next, once what was interrupted meanwhile is told."""
        if self._is_closed:
            raise _ClosedError
        self._tell_interrupts()
        if self._first:
            return self._first.pop()
        while self._waiting:
            if item := self._asked(self._waiting.popleft()):
                return item
        return None

    def _asked(self, keys: Iterable[int]) -> tuple[Asked, ...]:
        """What of these jobs is still to be done; those that are over are handed back."""
        asked: list[Asked] = []
        for key in keys:
            job = self._jobs.get(key)
            if job is None:
                continue
            if Cursor(job.walk, job.listen, job.until).done:
                del self._jobs[key]
                job.finish()
            else:
                asked.append(Asked(key, job.walk.request, sampled_for(job.walk), job.until))
        return tuple(asked)

    def _again(self, item: Item, apart: bool) -> list[Item]:
        if isinstance(item, Hello):
            return [item]
        asked = self._asked(each.key for each in item)
        return [(each,) for each in asked] if apart else [asked] * bool(asked)

    def _gave_up(self, item: Item, error: str) -> Iterator[Moved]:
        if isinstance(item, Hello):
            raise EngineError(error)
        return (Moved(each.key, (), 0, error) for each in item)

    def _interrupt(self, key: int) -> None:
        """Called by whoever interrupts a walk: it must neither wait nor look at the walk."""
        self._interrupted.append(key)
        self._pool.wake()

    def _tell_interrupts(self) -> None:
        """Tell every worker, as a walk may be with any of them, or be on its way."""
        words: list[tuple[int, Finish]] = []
        while self._interrupted:
            key = self._interrupted.popleft()
            job = self._jobs.get(key)
            if job is not None and (finish := job.walk.interrupted):
                words.append((key, finish))
        if words:
            for member in self._pool.members.values():
                member.handle.interrupt(tuple(words))


def _move(job: Job, moved: Moved) -> None:
    """Move a walk by what was sampled for it elsewhere, and hand it back."""
    walk = job.walk
    for completion in moved.sampled:
        walk.finish(completion)
    walk.num_reused += moved.num_reused
    if moved.error is not None:
        walk.fail(moved.error)
    Cursor(walk, job.listen, job.until)
    job.finish()
