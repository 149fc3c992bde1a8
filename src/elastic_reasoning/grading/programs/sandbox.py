"""What a sandbox is: limits, and how one process is started within them.

There are two, `bubblewrap` and `weak`; `probe.find_sandbox` says which one works here, `run.Run` runs a program in it.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

PYTHON = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
PACKAGES = {
    "numpy": ("numpy", "numpy.libs"),
    "sortedcontainers": ("sortedcontainers",),
    "sympy": ("sympy", "mpmath"),
    "networkx": ("networkx",),
}
"""Libraries that a program may import besides the standard one, and their folders: what reference tests need, and what
LeetCode and AtCoder have of those that this package brings along."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one test may use.

    Attributes:
        seconds: time of one test: processor time of all its processes, and time in which all of them sleep.
        memory_mb: address space of each process, and memory of all of them together, shared pages counted in each.
        output_bytes: size of the output, and of any file that the program writes.
        num_processes: processes and threads at one time.
        disk_mb: all files together (bubblewrap only); they lie in memory.
        total_seconds: the same of all tests of one solution.
    """

    seconds: float = 10.0
    memory_mb: int = 1024
    output_bytes: int = 1 << 20
    num_processes: int = 32
    disk_mb: int = 64
    total_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How one process is started.

    Attributes:
        command: the command.
        options: what `Popen` is told besides.
        num_processes: its limit of processes; `None` for no limit.
        packages: directories of libraries.
        fds: open files that the command reads; closed on leaving the context.
    """

    command: list[str]
    options: dict[str, Any]
    num_processes: int | None
    packages: list[str]
    fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One way to run a program.

    Attributes:
        name: which one.
        weakness: what it does not stop, in one line; empty for bubblewrap with its filter of system calls.
        launch: given the arguments of Python and the limits, what to start; leaving the context cleans up.
    """

    name: Literal["bubblewrap", "weak"]
    weakness: str
    launch: Callable[[Sequence[str], Limits], AbstractContextManager[Launch]]


def package_directories() -> list[Path]:
    """Where the libraries lie that a program may import."""
    spec = find_spec("numpy")
    if spec is None or spec.origin is None:
        return []
    site_packages = Path(spec.origin).parents[1]
    folders = [site_packages / name for names in PACKAGES.values() for name in names]
    return [folder for folder in folders if folder.is_dir()]
