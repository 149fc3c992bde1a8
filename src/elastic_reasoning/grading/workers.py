"""Processes that compare answers, one request each at a time, killed and replaced when they do not answer in time.

    workers = Workers(2)
    workers.ask((wanted, found, 4), seconds=5.0)   # "equal", "unequal", "time limit"; None: no answer in time
    workers.close()

Each is a new Python that runs one file (`equality.py`), never a fork: it needs no `__main__` guard, holds nothing of a
parent with a GPU and starts in about half a second. It is outside the terminal's process group, so that Ctrl-C reaches
the parent alone, and ends by itself when the parent is gone, however that died.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from elastic_reasoning.errors import GradingError

SCRIPT = Path(__file__).with_name("equality.py")
START_SECONDS = 60.0


class Worker:
    """One process, ready for requests once it is made.

    Raises:
        GradingError: it does not start.
    """

    def __init__(self) -> None:
        # -P: the folder of the file, with modules of ours that are called like those of Python, is not searched.
        command = [sys.executable, "-P", str(SCRIPT)]
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        try:
            self._receive(START_SECONDS)
        except (EOFError, OSError) as error:
            self.end()
            raise GradingError(f"a grading process did not start: {' '.join(command)} says why") from error

    def ask(self, request: Any, seconds: float) -> str:
        """The answer to one request.

        Raises:
            TimeoutError: none came in time.
            EOFError, OSError: the process is gone.
        """
        self._connection.send(request)
        return self._receive(seconds)

    def _receive(self, seconds: float) -> str:
        if not self._connection.poll(seconds):
            raise TimeoutError
        return str(self._connection.recv())

    def kill(self) -> None:
        """Kill the process and wait until it is gone; may be called while another thread asks."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Kill it and let go of the connection."""
        self.kill()
        self._connection.close()


class Workers:
    """Up to so many processes, each started when it is first needed; for any number of threads."""

    def __init__(self, num_workers: int) -> None:
        self._places = threading.Semaphore(num_workers)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False

    def ask(self, request: Any, seconds: float) -> str | None:
        """The answer, or `None` where none came within so many seconds; waits for a free process first.

        A process that dies is replaced once, in case it was not the request that killed it.

        Raises:
            GradingError: a process does not start, or the workers are closed.
        """
        with self._places:
            deadline = time.monotonic() + seconds
            for replaced in (False, True):
                try:
                    with self._worker(new=replaced) as worker:
                        # The start of the first process is not charged to the request.
                        return worker.ask(request, deadline - time.monotonic() if replaced else seconds)
                except TimeoutError:
                    return None
                except (EOFError, OSError):
                    continue
            return None

    @contextmanager
    def _worker(self, new: bool) -> Iterator[Worker]:
        """An idle or new process; it is kept if the block succeeds, and ended if it raises anything."""
        with self._lock:
            self._refuse_if_closed()
            worker = None if new or not self._idle else self._idle.pop()
        worker = worker or Worker()
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
                kept = kept and not self._closed
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
