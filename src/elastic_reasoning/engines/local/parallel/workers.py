"""The processes of the ranks other than 0: started, told, watched, and ended with this one however it dies.

    with started(Spread("Qwen/Qwen3-32B", "bfloat16", "cuda", 2, 64, False)) as workers:
        ...                             # load this rank's share
    workers.tell("reserve", (8, 256))
    workers.close()

A rank that is lost in the middle of a pass leaves the others waiting for it, and so does one that is lost while they
meet: then all of them are ended, and whoever asks is told why.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from pathlib import Path
from queue import SimpleQueue
from signal import Signals
from typing import Any

import torch
import torch.distributed as dist

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.local.parallel.calls import NEW, Call, announced, broadcast
from elastic_reasoning.engines.local.parallel.plan import check_devices, check_plan
from elastic_reasoning.engines.local.parallel.ranks import Spread, as_rank, join, leave, meeting_place

PACKAGES = str(Path(__file__).parents[4])  # the folder that holds ours, which need not be installed
WORKER = "elastic_reasoning.engines.local.parallel.worker"
NOTICE_SECONDS = 5.0
"""In which the death of a rank shows that has made a pass fail."""
END_SECONDS = 10.0
AGAIN = "load the model again"


class Worker:
    """The process of one rank.

    Attributes:
        process: it.
        connection: to it.
        ready: set once it has imported what it needs, or is lost.
    """

    def __init__(self, spread: Spread, rank: int, port: int) -> None:
        searched = filter(None, (os.environ.get("PYTHONPATH"), PACKAGES))
        quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONWARNINGS": "ignore"}
        self.ready = threading.Event()
        self.connection, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ | quiet | {"PYTHONPATH": os.pathsep.join(searched)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C reaches rank 0 alone
            )
        with suppress(OSError):  # it may be gone already, which is noticed
            self.connection.send((spread, rank, port))

    def why_lost(self) -> str:
        """Wait until it says that it fails, or is gone, and return why."""
        try:
            while (said := self.connection.recv()) is None:
                self.ready.set()
            return str(said)
        except (EOFError, OSError):
            status = self.process.wait()
            return f"killed by {Signals(-status).name}" if status < 0 else f"ended with status {status}"


class Workers:
    """The other ranks of a model.

    Args:
        spread: the model.
    """

    def __init__(self, spread: Spread) -> None:
        self._spread = spread
        self._process_id = os.getpid()
        self._num_threads = torch.get_num_threads()
        self._lock = threading.Lock()
        self._lost = threading.Event()
        self._reason = ""
        self._closed = False
        self._met: SimpleQueue[BaseException | None] = SimpleQueue()
        self._meeting = meeting_place(spread)
        self._workers = [Worker(spread, rank, self._meeting.port) for rank in range(1, spread.num_ranks)]
        self._watchers = [
            threading.Thread(target=self._watch, args=(rank, worker), daemon=True)
            for rank, worker in enumerate(self._workers, 1)
        ]
        for watcher in self._watchers:
            watcher.start()

    def join(self) -> None:
        """Meet them, once all have started.

        They are met in a thread: what waits there for a lost rank hears of no interrupt, and gloo may wait for ever.

        Raises:
            EngineError: one of them does not start, or is lost meanwhile.
        """
        for worker in self._workers:
            worker.ready.wait()
        self.check()
        torch.set_num_threads(self._spread.num_threads)
        threading.Thread(target=self._meet, daemon=True).start()
        error = self._met.get()
        if error is not None:
            raise error
        if self._spread.device == "cuda":
            torch.cuda.set_device(self._spread.place(0))  # it is each thread's own

    def _meet(self) -> None:
        try:
            join(self._spread, 0, self._meeting)
        except BaseException as error:
            self._met.put(error)
            return
        self._met.put(None)
        with self._lock:
            if not self.are_there:  # nobody waits any more
                leave()

    def begin(self) -> None:
        """Have every rank begin with an empty store."""
        self.check()
        with self.in_step():
            self._send(Call(NEW))

    def tell(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Have every rank call that method of its store; this one does the same behind it, `in_step`."""
        call, tensors = announced(method, arguments)
        self._send(call)
        if tensors:
            broadcast(tensors)

    def _send(self, call: Call) -> None:
        for worker in self._workers:
            worker.connection.send(call)

    @property
    def are_there(self) -> bool:
        """Whether none is lost, and they are not closed."""
        return not (self._lost.is_set() or self._closed)

    def check(self) -> None:
        """Refuse to go on without one of them.

        Raises:
            EngineError: one is lost, they are closed, or this is a fork of the process that has started them.
        """
        if os.getpid() != self._process_id:
            raise EngineError("a model that is spread over devices cannot be used in a fork: load it there")
        if self._closed:
            raise EngineError(f"the engine is closed: {AGAIN}")
        if self._lost.is_set():
            raise EngineError(self._reason)

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """What all ranks do; one that fails is out of step with the others, so that all are ended.

        Raises:
            EngineError: another rank is lost; anything else is raised as it is.
        """
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception) and self._lost.wait(NOTICE_SECONDS):
                raise EngineError(self._reason) from error
            self._lose(f"this process failed in the middle of a step ({type(error).__name__}): {AGAIN}")
            raise

    def _watch(self, rank: int, worker: Worker) -> None:
        why = worker.why_lost()
        num = self._spread.num_ranks
        self._lose(f"rank {rank} of {num} on {self._spread.place(rank)} is lost ({why}): {AGAIN}")
        worker.ready.set()

    def _lose(self, reason: str) -> None:
        """End all of them, and whatever waits for one of them here."""
        with self._lock:
            if not self.are_there:
                return
            self._reason = reason
            self._lost.set()
        self._met.put(EngineError(reason))
        for worker in self._workers:
            worker.process.kill()
        if self._spread.device == "cuda" and dist.is_initialized():  # gloo notices by itself
            dist.distributed_c10d._abort_process_group()

    def close(self) -> None:
        """End them and wait until they are gone; it may be called twice."""
        with self._lock:
            if self._closed or os.getpid() != self._process_id:
                return
            self._closed = True
        for worker in self._workers:
            with suppress(OSError):
                worker.connection.send(None)
        with self._lock:
            leave()
        torch.set_num_threads(self._num_threads)
        for worker, watcher in zip(self._workers, self._watchers, strict=True):
            try:
                worker.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            watcher.join()
            worker.connection.close()
        del self._meeting


@contextmanager
def started(spread: Spread, config: Any) -> Iterator[Workers]:
    """Start the other ranks, and load this one's share within; they are ended if that fails.

    Args:
        spread: the model.
        config: of the model.

    Raises:
        EngineError: the model cannot be spread so, or a rank is lost.
    """
    check_devices(spread)
    check_plan(spread, config)
    workers = Workers(spread)
    try:
        with as_rank(0), workers.in_step():
            workers.join()
            yield workers
    except BaseException:
        workers.close()
        raise
