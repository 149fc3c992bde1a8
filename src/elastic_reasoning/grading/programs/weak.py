"""The sandbox where bubblewrap does not work: limits of resources, and little else.

It starts the program in a session of its own, with an empty environment, in a temporary directory. As root it changes
to a uid of no one, where that uid can run this Python; then the program can neither signal nor read other processes,
and whatever it leaves behind is found by its uid and ended.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from elastic_reasoning.grading.programs.bubblewrap import draw_uid
from elastic_reasoning.grading.programs.sandbox import PYTHON, Launch, Limits, Sandbox, package_directories


def sandbox(problem: str, python: Path = PYTHON, drops: bool | None = None) -> Sandbox:
    """The weak sandbox, and what it does not stop.

    Args:
        problem: why bubblewrap is not used.
        python: what runs the programs.
        drops: whether it changes to a uid of no one; if not given, where it can.
    """
    if drops is None:
        drops = os.geteuid() == 0 and _runs_python(python, draw_uid())
    reads = "what any account can read" if drops else "whatever this account can read"
    leaves = "" if drops else ", signal your processes, forge verdicts of check tests, leave processes behind"
    limited = "time and output" if sys.platform == "darwin" else "time, memory and output"
    weakness = (
        f"generated programs run in the weak sandbox ({problem}): {limited} are limited, but they can read {reads}, "
        f"use the network{leaves} and fill the disk and shared memory; "
        "install bubblewrap 0.8 or later (apt-get install bubblewrap)"
    )
    return Sandbox("weak", weakness, partial(launch, python, drops))


@contextmanager
def launch(python: Path, drops: bool, arguments: Sequence[str], limits: Limits) -> Iterator[Launch]:
    """The command that runs Python with these arguments; its directory and, with a uid of its own, its processes are
    gone afterwards."""
    packages = [str(path.parent) for path in package_directories()[:1]]
    with tempfile.TemporaryDirectory(prefix="elastic-", ignore_cleanup_errors=True) as directory:
        environment = {"PATH": "/usr/bin:/bin", "HOME": directory, "TMPDIR": directory, "OPENBLAS_NUM_THREADS": "1"}
        options: dict[str, object] = {"cwd": directory, "env": environment}
        if drops:
            uid = draw_uid()
            os.chown(directory, uid, uid)
            options |= {"user": uid, "group": uid, "extra_groups": []}
        num_processes = limits.num_processes if drops else _num_tasks(limits.num_processes)
        try:
            yield Launch([str(python), *arguments], options, num_processes, packages)
        finally:
            if drops:
                # To that uid, -1 means all of its processes and no other.
                subprocess.run(["/bin/kill", "-9", "-1"], user=uid, group=uid, extra_groups=[], capture_output=True)


def _runs_python(python: Path, uid: int) -> bool:
    command = [str(python), "-I", "-S", "-c", "pass"]
    with suppress(OSError):
        return subprocess.run(command, user=uid, group=uid, extra_groups=[], capture_output=True).returncode == 0
    return False


def _num_tasks(more: int) -> int | None:
    """The limit of processes for an account that has others already; unknown, and not set, where there is no /proc."""
    num_tasks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == os.geteuid():
                num_tasks += len(os.listdir(process / "task"))
    return num_tasks + more if num_tasks else None
