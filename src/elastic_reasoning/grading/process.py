"""What a grading process does, whatever it grades: it answers requests, and holds itself to its memory and time.

    if __name__ == "__main__":
        serve(verdict, memory_bytes=1 << 30)    # in a file that `python -P FILE FD` runs

It is not part of the terminal's process group, ends when its parent is gone (`workers`), and limits for each request
its processor time: the clock would count what other programs do.
"""

import math
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

PARENT_CHECK_SECONDS = 0.5


class OutOfTime(BaseException):
    """The processor time of a request is used up; not an `Exception`, which sympy would catch."""


def serve(verdict: Callable[..., str], memory_bytes: int) -> None:
    """Answer request after request from the connection of which the program's last argument is the file descriptor.

    Out of memory, the process ends: another one may have enough.

    Args:
        verdict: answers the parts of a request; "time limit" is sent where it takes too long.
        memory_bytes: of address space.
    """
    limit_to(resource.RLIMIT_AS, memory_bytes)
    threading.Thread(target=end_with_parent, daemon=True).start()
    connection = Connection(int(sys.argv[-1]))
    connection.send("ready")
    with suppress(EOFError, MemoryError):
        while True:
            request, seconds = connection.recv()
            connection.send(_in_time(verdict, request, seconds))


def _in_time(verdict: Callable[..., str], request: tuple[Any, ...], seconds: float) -> str:
    try:
        with processor_time(seconds):
            return verdict(*request)
    except OutOfTime:
        return "time limit"


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block once it has used so much processor time, however long that takes by the clock.

    What never comes back to the interpreter, such as a power of huge integers, ends the process a little later, with
    SIGXCPU and with no parent needed.
    """

    def out_of_time(*_: object) -> None:
        raise OutOfTime

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit_to(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds) + 1)
    signal.signal(signal.SIGPROF, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)  # again, in case something caught the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit_to(kind: int, value: int) -> None:
    """Lower the soft limit, as far as the system knows it and lets it be changed."""
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def end_with_parent() -> None:
    """Watch whether the parent still lives: while this process computes it does not see its connection close."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)
