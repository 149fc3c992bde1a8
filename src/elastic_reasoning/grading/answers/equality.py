r"""Whether an answer equals a reference: a process of its own, because math-verify needs signals and may never end.

    python -P equality.py FD    # answers requests from a `multiprocessing` connection until it is closed

It imports nothing heavy but sympy, so that it starts as fast as that. It is not part of the terminal's process
group, ends when its parent is gone, and holds itself to a share of memory and, for each request, of processor time:
the clock would count what other programs do.
"""

import math
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from elastic_reasoning.grading.answers.comparison import compare
from elastic_reasoning.grading.answers.rules import strictest
from elastic_reasoning.grading.answers.values import Terms

MEMORY_BYTES = 1 << 30
PARENT_CHECK_SECONDS = 0.5


class OutOfTime(BaseException):
    """The processor time of a request is used up; not an `Exception`, which sympy would catch."""


def serve(connection: Connection) -> None:
    """Answer request after request, (references, answer, rules, seconds), with a rule, "unequal" or "time limit".

    Out of memory, the process ends: another one may have enough.
    """
    connection.send("ready")
    with suppress(EOFError, MemoryError):
        while True:
            references, answer, rules, seconds = connection.recv()
            connection.send(_verdict(references, answer, rules, seconds))


def _verdict(references: list[Any], answer: Any, rules: frozenset[str], seconds: float) -> str:
    try:
        with processor_time(seconds):
            found = [rule for reference in references if (rule := _rule(reference, answer, rules)) in rules]
            return strictest(*found) if found else "unequal"
    except OutOfTime:
        return "time limit"


def _rule(reference: Any, answer: Any, rules: frozenset[str]) -> str:
    try:
        return compare(reference, answer, Terms(rules)) or ""
    except MemoryError:
        raise
    except Exception:  # whatever sympy raises on what it cannot compare
        return ""


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


if __name__ == "__main__":
    limit_to(resource.RLIMIT_AS, MEMORY_BYTES)
    threading.Thread(target=end_with_parent, daemon=True).start()
    serve(Connection(int(sys.argv[1])))
