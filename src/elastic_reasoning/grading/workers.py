"""Processes that grade, one request each at a time, replaced when they run out of time or memory.

    workers = Workers(2, EQUALITY)
    workers.ask(wanted, found, DEFAULT, seconds=5.0)   # "same value", "unequal", "time limit", "memory limit"
    workers.close()

Each is a new Python that runs one file (which calls `process.serve`), never a fork: it needs no `__main__` guard and
holds nothing of a parent with a GPU; for mathematics it starts in about half a second. It is outside the terminal's
process group, so that Ctrl-C reaches the parent alone, and ends by itself when the parent is gone, however that died.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import GradingError, MachineError

PACKAGES = str(Path(__file__).parents[2])  # the folder that holds ours, which need not be installed
PATIENCE = 60
"""As on a machine with so many programs a core."""
START_SECONDS = 5.0 * PATIENCE
"""Imports of some seconds, on such a machine; a process that dies is noticed at once."""


class Worker:
    """One process, ready for requests once it is made.

    Args:
        script: what it runs.
        patience: how many times its processor time a request may take by the clock.

    Raises:
        GradingError: it does not start.
    """

    def __init__(self, script: Path, patience: float) -> None:
        self._patience = patience
        # -P: the folder of the file, with modules of ours that are called like those of Python, is not searched.
        command = [sys.executable, "-P", str(script)]
        searched = filter(None, (os.environ.get("PYTHONPATH"), PACKAGES))
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(searched)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        try:
            self._receive(START_SECONDS)
        except (EOFError, OSError) as error:  # a TimeoutError is one
            self.end()
            raise GradingError(f"a grading process did not start: {' '.join(command)} says why") from error

    def ask(self, *request: Any, seconds: float) -> str:
        """The answer to one request, which may use so many seconds of processor time.

        Raises:
            MachineError: the machine did not give it that much in a long time.
            EOFError, OSError: the process is gone.
        """
        self._connection.send((request, seconds))
        try:
            return self._receive(self._patience * seconds)
        except TimeoutError:
            raise MachineError(
                f"a grading process did not get {seconds:g} s of processor time within {self._patience * seconds:g} s: "
                "this machine is too busy, or has stopped it"
            ) from None
        except (EOFError, OSError):
            if self._process.wait() == -signal.SIGXCPU:
                return "time limit"
            raise

    def _receive(self, seconds: float) -> str:
        if not self._connection.poll(seconds):
            raise TimeoutError
        return str(self._connection.recv())

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill the process and wait until it is gone; may be called while another thread asks."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Kill it and let go of the connection."""
        self.kill()
        self._connection.close()


class Workers:
    """Up to so many processes, each started when it is first needed; for any number of threads.

    Args:
        num_workers: how many.
        script, patience: of each, see `Worker`.
    """

    def __init__(self, num_workers: int, script: Path, patience: float = PATIENCE) -> None:
        self._new_worker = partial(Worker, script, patience)
        self._places = threading.Semaphore(num_workers)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False

    def ask(self, *request: Any, seconds: float) -> str:
        """The verdict on one request, the arguments of the script's `verdict`; waits for a free process first.

        A process that dies is replaced once, in case it was not the request that killed it.

        Returns:
            What the script says, or "time limit" (of processor time), or "memory limit" for what a process dies of.

        Raises:
            GradingError: a process does not start, or the workers are closed.
            MachineError: a process is not given the processor.
        """
        with self._places:
            for replaced in (False, True):
                with suppress(EOFError, OSError), self._worker(new=replaced) as worker:
                    return worker.ask(*request, seconds=seconds)
            return "memory limit"

    @contextmanager
    def _worker(self, new: bool) -> Iterator[Worker]:
        """An idle or new process; it is kept if the block succeeds, and ended if it raises anything."""
        with self._lock:
            self._refuse_if_closed()
            worker = None if new or not self._idle else self._idle.pop()
        worker = worker or self._new_worker()
        kept = False
        with self._lock:
            self._busy.add(worker)
        try:
            # Again, now that close() would find the process: it may have been called while this one started.
            self._refuse_if_closed()
            yield worker
            kept = True
        finally:
            with self._lock:
                self._busy.remove(worker)
                kept = kept and not self._closed and not worker.ended
                if kept:
                    self._idle.append(worker)
            if not kept:
                worker.end()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise GradingError("the grader is closed: make a new one")

    def close(self) -> None:
        """End all processes; a request under way raises GradingError."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for worker in idle:
            worker.end()
        for worker in busy:
            worker.kill()
