"""Ranks that are lost, and a rank 0 that is interrupted or killed, while they meet: everybody is told, and ends."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch.distributed as dist
import transformers

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.local.parallel import workers
from elastic_reasoning.engines.local.parallel.ranks import Spread
from lost_ranks import GONE_SECONDS, workers_of
from tiny import BASE

Stops = Callable[[str, Callable[[int], None]], None]

LOST = r"rank 1 of 2 on cpu is lost \(killed by SIGKILL\): load the model again"

STAND_IN = """
import os, signal, sys
from multiprocessing.connection import Connection

connection = Connection(int(sys.argv[1]))
connection.recv_bytes()
connection.send(None)
with open(os.environ["STOPS"], "w") as told:
    told.write(str(os.getpid()))
os.kill(os.getpid(), signal.SIGSTOP)
"""
"""Says that it is there, and never comes."""

STOPS_MEETING = """
import os, signal
import torch.distributed as dist
from elastic_reasoning.engines.local.parallel import worker


class Stopping(dist.Store):
    def __init__(self, inner):
        super().__init__()
        self.inner, self.num = inner, 0

    def _asked(self, method, *arguments):
        self.num += 1
        if self.num == int(os.environ["STOPS_AT"]):
            with open(os.environ["STOPS"], "w") as told:
                told.write(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
        return getattr(self.inner, method)(*arguments)

    def set(self, *arguments):
        return self._asked("set", *arguments)

    def get(self, *arguments):
        return self._asked("get", *arguments)

    def wait(self, *arguments):
        return self._asked("wait", *arguments)


meeting_place = worker.meeting_place
worker.meeting_place = lambda *arguments: Stopping(meeting_place(*arguments))
worker.main()
"""
"""A rank that stops when it asks the meeting place for the so manyth time."""


@pytest.fixture
def stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stops:
    """Have ranks run such a program, and do something once one of them has stopped."""
    fifo = tmp_path / "stops"
    os.mkfifo(fifo)

    def run(program: str, then: Callable[[int], None]) -> None:
        (tmp_path / "worker_that_stops.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("STOPS", str(fifo))
        monkeypatch.setattr(workers, "WORKER", "worker_that_stops")

        def wait() -> None:
            process_id = int(fifo.read_text())
            os.waitid(os.P_PID, process_id, os.WSTOPPED | os.WNOWAIT)
            then(process_id)

        threading.Thread(target=wait, daemon=True).start()

    return run


def kill(process_id: int) -> None:
    os.kill(process_id, signal.SIGKILL)


def meet() -> None:
    config = transformers.Qwen3Config(**BASE)
    with workers.started(Spread("my-model", "float32", "cpu", 2, 8, trusts_code=False), config):
        dist.barrier()


def test_a_rank_that_is_lost_while_they_meet(stops: Stops) -> None:
    stops(STAND_IN, kill)
    with pytest.raises(EngineError, match=LOST):
        meet()


def test_an_interrupt_while_they_meet_ends_them(stops: Stops) -> None:
    main = threading.main_thread().ident
    assert main is not None
    handles: list[int] = []

    def interrupt(process_id: int) -> None:
        handles.append(os.pidfd_open(process_id))
        signal.pthread_kill(main, signal.SIGINT)

    stops(STAND_IN, interrupt)
    with pytest.raises(KeyboardInterrupt):
        meet()
    assert select.select(handles, [], [], 0)[0] == handles  # it is gone already
    os.close(handles[0])


@pytest.mark.full
@pytest.mark.parametrize("moment", [1, 3, 5])
def test_a_real_rank_in_each_moment(moment: int, stops: Stops, even: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the fifth gloo may wait for ever, whatever its time limit; the model can be loaded again all the same."""
    with monkeypatch.context() as broken:
        broken.setenv("STOPS_AT", str(moment))
        stops(STOPS_MEETING, kill)
        with pytest.raises(EngineError, match=LOST):
            meet()
    monkeypatch.undo()
    with closing(load(even, tensor_parallel_size=2)) as engine:
        assert ask(engine, "a 3 b +1 =", "8+8").error is None


RANK_0 = """
import os, signal, sys
from elastic_reasoning import load
from elastic_reasoning.engines.local.parallel import workers

def ends(spread, rank, meeting):
    print("met by nobody", flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), signal.SIGKILL)

workers.join = ends
load(sys.argv[1], tensor_parallel_size=2)
"""


@pytest.mark.full
def test_the_others_end_with_a_rank_0_that_is_killed(even: str) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", RANK_0, even], stdin=pipe, stdout=pipe, text=True) as rank_0:
        assert rank_0.stdout is not None
        assert rank_0.stdin is not None
        assert rank_0.stdout.readline() == "met by nobody\n"
        handle = os.pidfd_open(workers_of(rank_0.pid)[0])
        rank_0.stdin.close()
        ended, _, _ = select.select([handle], [], [], GONE_SECONDS)
        os.close(handle)
        assert ended
