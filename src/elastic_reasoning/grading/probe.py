"""Which sandbox works here."""

import threading
import time

from elastic_reasoning.errors import GradingError
from elastic_reasoning.grading import bubblewrap, weak
from elastic_reasoning.grading.run import Run, wait
from elastic_reasoning.grading.sandbox import Limits, Sandbox


def find_sandbox() -> Sandbox:
    """The stronger sandbox that works here, found by running a program in it."""
    sandbox = bubblewrap.sandbox()
    problem = bubblewrap.missing()
    if not problem:
        try:
            probe(sandbox)
            return sandbox
        except GradingError as error:
            problem = str(error)
    return weak.sandbox(problem)


def probe(sandbox: Sandbox) -> None:
    """Run a small program.

    Raises:
        GradingError: it did not come back as it should.
    """
    limits = Limits()
    with Run(sandbox, {"mode": "program", "source": "print('inside')"}, limits) as run:
        outcome = run.end(wait([run], limits, time.monotonic() + limits.seconds, threading.Event()))
    if outcome.stdout != b"inside\n":
        last = outcome.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise GradingError(f"a trial program failed: {outcome.reason}, {last}")
