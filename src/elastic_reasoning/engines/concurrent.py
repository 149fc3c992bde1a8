"""An event loop in a thread of its own, for engines that wait for others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.drive import unless_interrupted
from elastic_reasoning.core.errors import BusyError, EngineError
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.engines.job import MAX_WAITING, Job


class LoopThread:
    """An event loop in a thread of its own, for as long as an engine lives."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def cancel_all(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result()

    def close(self) -> None:
        """Cancel what is under way and stop the loop; it may be called twice."""
        if self._thread.is_alive():
            self.cancel_all()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


class Answering:
    """Walks that an event loop brings to their ends, each by itself. One that the loop gives up is aborted.

    Args:
        answer: brings one to its end, or to where it is to be handed back.
        loop: where they are brought there; it may run in another thread.
        concurrency: walks under way at once; others wait.
        max_waiting: walks that may wait.
    """

    def __init__(
        self,
        answer: Callable[[Job], Awaitable[None]],
        loop: asyncio.AbstractEventLoop,
        concurrency: int,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._answer, self._loop = answer, loop
        self._concurrency, self._max_waiting = concurrency, max_waiting
        self._places = asyncio.Semaphore(concurrency)
        self._num_taken = 0
        self._tasks: set[asyncio.Task[BaseException | None]] = set()
        self._is_stopped = False
        self._lock = threading.Lock()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take walks, from any thread.

        Raises:
            BusyError: more would wait than may.
            EngineError: the loop is closed, or this is stopped.
        """
        with self._lock:
            if self._is_stopped or self._loop.is_closed():
                raise EngineError("the engine is closed: make another one")
            num_waiting = self._num_taken + len(jobs) - self._concurrency
            if num_waiting > self._max_waiting:
                raise BusyError(f"{num_waiting} requests would wait, {self._max_waiting} may: ask again a little later")
            self._num_taken += len(jobs)
            for job in jobs:
                self._loop.call_soon_threadsafe(self._begin, job)

    async def stop(self) -> None:
        """Take no more walks, and give up those that were taken; they have ended then. It runs within the loop."""
        with self._lock:
            self._is_stopped = True
        await asyncio.sleep(0)  # what was submitted before begins now
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, job: Job) -> None:
        task = self._loop.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(partial(self._over, job))

    async def _run(self, job: Job) -> BaseException | None:
        """What failed, which is the caller's to know."""
        try:
            if await self._finds_place(job):
                try:
                    await self._answer(job)
                finally:
                    self._places.release()
        except asyncio.CancelledError:
            raise
        except BaseException as failure:
            return failure
        return None

    def _over(self, job: Job, task: asyncio.Task[BaseException | None]) -> None:
        self._tasks.discard(task)
        with self._lock:
            self._num_taken -= 1
        if task.cancelled():  # it may not have begun
            job.walk.interrupt(Finish.ABORT)
            Cursor(job.walk, job.listen, job.until)
        job.finish(None if task.cancelled() else task.result())

    async def _finds_place(self, job: Job) -> bool:
        """Wait for a place; False where the walk is over before."""
        if not self._places.locked():
            return await self._places.acquire()
        while not await unless_interrupted(job.walk, self._places.acquire()):
            if Cursor(job.walk, job.listen, job.until).done:
                return False
        return True


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
