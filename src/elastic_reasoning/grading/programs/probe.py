"""Which sandbox works here."""

import threading
from collections.abc import Callable

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.grading.programs import bubblewrap, weak
from elastic_reasoning.grading.programs.run import Run, wait
from elastic_reasoning.grading.programs.sandbox import Limits, Sandbox

CHOICES = ("auto", "bubblewrap", "weak")


def probe(sandbox: Sandbox) -> None:
    """Run a small program.

    Raises:
        GradingError: it did not come back as it should.
    """
    limits = Limits()
    with Run(sandbox, {"mode": "program", "source": "print('inside')"}, limits) as run:
        reason, _ = wait([run], limits, limits.seconds, threading.Event())
        outcome = run.end(reason)
    if outcome.stdout != b"inside\n":
        last = outcome.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise GradingError(f"a trial program failed: {outcome.reason}, {last}")


def find_sandbox(
    choice: str = "auto",
    missing: Callable[[], str] = bubblewrap.missing,
    probe: Callable[[Sandbox], None] = probe,
) -> Sandbox:
    """The sandbox to use, found by running a program in it.

    Args:
        choice: "auto" is bubblewrap, and the weak sandbox only where bubblewrap is not installed.
        missing: what bubblewrap lacks here, in words.
        probe: runs a program in a sandbox.

    Raises:
        GradingError: bubblewrap does not work here, and the weak sandbox was not asked for: programs are never run
            in a weaker sandbox than their user believes.
    """
    if choice not in CHOICES:
        raise GradingError(f"sandbox {choice!r}: must be one of {', '.join(CHOICES)}")
    absent = missing()
    if choice == "weak" or (choice == "auto" and absent):
        return weak.sandbox(absent or "it was asked for")
    sandbox = bubblewrap.sandbox()
    problem = absent
    if not problem:
        try:
            probe(sandbox)
            return sandbox
        except GradingError as error:
            problem = str(error)
    raise GradingError(
        f"bubblewrap does not work here ({problem}): mend that, install bubblewrap 0.8 or later, or accept a weaker "
        "sandbox with sandbox=weak (--sandbox weak)"
    )
