"""Continuous batching: one thread computes for all walks that other threads bring, whenever they bring them.

A thread that waits for its walks anyway lends itself: what computes in parallel (OpenMP) keeps threads for each one
that calls it, and on few cores two such callers slow each other down. For other walks a thread is started, which runs
only while there is something to compute. Rows are freed when there is not.
"""

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.errors import BusyError, EngineError
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.local.batch import CHUNK_TOKENS, Batch
from elastic_reasoning.engines.local.evaluating import evaluating, lock_of
from elastic_reasoning.engines.local.identity import modules_of
from elastic_reasoning.engines.local.row_state import UNLIMITED

NAME = "elastic-local"
ADMIT_SHARE = 8
"""New rows are prefilled together once this share (1/8) of the rows is free."""


class Loop:
    """Walks that wait, the rows of those that run, and the thread that computes.

    Args:
        model: in any mode; it is in evaluation mode only while it computes.
        next_batch: gives an empty batch for the model as it is now: the one that it is given, if that still serves.
        check: fails a walk that cannot be fed to the model.
        max_rows: of the batch.
        max_waiting: walks that may wait for a row.
        keeps: whether the batch stays where there is nothing to do, with its memory and what has been recorded.
    """

    def __init__(
        self,
        model: Any,
        next_batch: Callable[[Batch | None], Batch],
        check: Callable[[Walk], None],
        max_rows: int,
        max_waiting: int,
        keeps: bool = False,
    ) -> None:
        self._model, self._next_batch, self._check = model, next_batch, check
        self._max_rows, self._max_waiting, self._keeps = max_rows, max_waiting, keeps
        self._closed = False
        self._reset()
        _LOOPS.add(self)

    def _reset(self) -> None:
        """As it is with nothing to do: in the beginning, and in a fork, where the thread is not."""
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running: dict[Walk, Job] = {}
        self._attention = threading.Event()  # somebody has brought or interrupted a walk
        self._go_on = threading.Event()  # nobody forks
        self._go_on.set()
        self._thread: threading.Thread | None = None  # the one that computes, if any
        self._batch: Batch | None = None
        self._modules: list[Any] = []

    def submit(self, jobs: Sequence[Job]) -> None:
        """Have walks computed; all of them wait before any of them begins.

        Raises:
            BusyError: more would wait than may.
            EngineError: the loop is closed.
        """
        attention = self._attention
        for job in jobs:
            job.walk.when_interrupted(attention.set)
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed: load the model again")
            num_waiting = len(self._waiting) + len(jobs) - (self._max_rows - len(self._running))
            if num_waiting > self._max_waiting:
                raise BusyError(
                    f"{num_waiting} requests would wait, max_waiting is {self._max_waiting}: ask again a little later"
                )
            self._waiting.extend(jobs)
            if any(job.lender is None for job in jobs):
                self._start()
        attention.set()

    def _start(self) -> None:
        """Have a thread compute if none does; the lock is held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
            self._thread.start()

    def work(self, lender: object | None, done: Callable[[], bool]) -> None:
        """Compute in this thread; see `elastic_reasoning.engines.flow.Worker`."""
        with self._lock:
            if self._thread is not None or not (self._running or self._waiting):
                return
            self._thread = threading.current_thread()
        try:
            self._compute(done)
        except Exception as error:
            self._fail(error)
        except BaseException:  # between any two of its instructions: the rows are worth nothing now
            self._fail(EngineError("the thread that computed for this walk was interrupted"), lender)
            raise
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None
                if any(job.lender is not lender for job in (*self._running.values(), *self._waiting)):
                    self._start()

    def close(self) -> None:
        """Give up what is under way and wait for the thread; it may be called twice."""
        with self._lock:
            self._closed = True
            walks, thread = [*self._running, *(job.walk for job in self._waiting)], self._thread
        for walk in walks:
            walk.interrupt(Finish.ABORT)
        if thread is None:
            self.work(None, lambda: False)  # what lenders have left, who are at other things
        elif thread.name == NAME and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        try:
            if self._model.device.type == "cuda":
                torch.cuda.set_device(self._model.device)  # it is each thread's own
            self._compute(lambda: False)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException, interrupted: object | None = None) -> None:
        """Hand all walks back with an error; those of a lender who was interrupted, as they were at their last call."""
        with self._lock:
            jobs = [*self._running.values(), *self._waiting]
            self._running.clear()
            self._waiting.clear()
            self._thread = self._batch = None
        for job in jobs:
            mine = interrupted is not None and job.lender is interrupted
            if mine:
                job.walk.interrupt(Finish.ABORT)
                Cursor(job.walk, job.listen, job.until)
            job.finish(None if mine else error)

    def _compute(self, enough: Callable[[], bool]) -> None:
        while not enough() and self._has_work():
            self._attention.clear()
            self._go_on.wait()
            batch = self._batch
            if batch is None or not batch.rows:
                batch = self._batch = self._next_batch(batch)
            done = self._give_up_waiting()
            done += batch.interrupt()
            done += self._admit(batch)
            if batch.rows and not done:
                done = self._decode(batch)
            if not (batch.rows or self._waiting or self._keeps):
                self._batch = None  # before anybody is told: whoever waits may need the memory
                del batch
            self._finish(done)

    def _has_work(self) -> bool:
        with self._lock:
            if not self._waiting and not self._running:
                self._thread = None
            return self._thread is not None

    def _next(self) -> Job | None:
        """The walk that has waited longest, as one that runs."""
        with self._lock:
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            self._running[job.walk] = job
            return job

    def _give_up_waiting(self) -> list[Walk]:
        """End those that wait and were told to end."""
        with self._lock:
            ended = [job for job in self._waiting if job.walk.interrupted in (Finish.STOP, Finish.ABORT)]
            self._waiting = deque(job for job in self._waiting if job not in ended)
            self._running.update((job.walk, job) for job in ended)
        for job in ended:
            Cursor(job.walk, job.listen, job.until)
        return [job.walk for job in ended]

    def _admit(self, batch: Batch) -> list[Walk]:
        """Give rows to walks that wait, once enough are free; those that need none are over.

        Beside rows that run only as many as can be prefilled between two steps.
        """
        ready: list[Cursor] = []
        done: list[Walk] = []
        if batch.rows and batch.num_free * ADMIT_SHARE < batch.max_rows:
            return done
        most, num_tokens = CHUNK_TOKENS if batch.rows else UNLIMITED, 0
        while len(ready) < batch.num_free and num_tokens < most and (job := self._next()):
            num_tokens += len(job.walk.request.prompt.ids) + len(job.walk.ids)
            self._check(job.walk)
            cursor = Cursor(job.walk, job.listen, job.until)
            if cursor.done:
                done.append(job.walk)
            else:
                ready.append(cursor)
        if num_tokens >= most:
            self._attention.set()  # others may wait for the step behind the next one
        if ready:
            self._modules = modules_of(self._model)  # there may be others than before: adapters
            with self._computing():
                batch.admit(ready)
        return done

    def _decode(self, batch: Batch) -> list[Walk]:
        """Go on until a walk is over, or somebody wants something."""
        done: list[Walk] = []
        with self._computing():
            while True:
                events = batch.step()
                if len(events):
                    done = batch.wake(events)
                if done or self._attention.is_set():
                    return done

    def _finish(self, walks: Iterable[Walk]) -> None:
        """Hand walks back, outside of `evaluating`: callbacks may train."""
        with self._lock:
            jobs = [self._running.pop(walk) for walk in walks]
        for job in jobs:
            job.finish()

    @contextmanager
    def _computing(self) -> Iterator[None]:
        try:
            with evaluating(self._model, self._modules):
                yield
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"out of memory on {self._model.device} with max_rows={self._max_rows}: lower max_rows"
            ) from error


_LOOPS: "weakref.WeakSet[Loop]" = weakref.WeakSet()
_held: list[Loop] = []


def _hold_all() -> None:
    """A fork finds every model as its owner left it: between two steps."""
    _held.extend(_LOOPS)
    for loop in _held:
        loop._go_on.clear()
        loop._attention.set()
        lock_of(loop._model).acquire()


def _release_all() -> None:
    for loop in _held:
        lock_of(loop._model).release()
        loop._go_on.set()
    _held.clear()


def _forget_all() -> None:
    """The threads are not in the fork."""
    loops = list(_held)
    _release_all()
    for loop in loops:
        loop._reset()


def _close_all() -> None:
    """A thread that computes may not outlive the interpreter."""
    for loop in list(_LOOPS):
        loop.close()


atexit.register(_close_all)
os.register_at_fork(before=_hold_all, after_in_parent=_release_all, after_in_child=_forget_all)
