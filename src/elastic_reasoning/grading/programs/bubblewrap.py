"""The sandbox of choice: namespaces by bubblewrap, under a uid that nobody else has.

The program sees `/usr`, the standard library of this Python, a few packages and two small file systems in memory, all
but the last read-only; no network, no process but its own, an empty environment. When the first of its processes ends,
or the one that started it dies in whatever way, the kernel ends all of them. A filter refuses the system calls by
which a program could get round these limits, see `seccomp`.

As root, bubblewrap makes no user namespace and setpriv then changes to a uid drawn at random for each run: limits of
processes count by uid, do not bind root, and runs side by side must not count against each other. Under another
account bubblewrap makes a user namespace, in which the kernel counts apart (Linux 5.14 or later).

Bubblewrap's outer process ends before its inner one, which the system's first process then has to wait for. In a
container whose first process does not, each run leaves one entry in the table of processes: start it with an init
(`docker run --init`).
"""

import os
import platform
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from elastic_reasoning.grading.programs.sandbox import PYTHON, Launch, Limits, Sandbox, package_directories
from elastic_reasoning.grading.programs.seccomp import machine_filter

# Neither accounts nor containers are given uids from here on: https://systemd.io/UIDS-GIDS
FIRST_UID, NUM_UIDS = 0x70000000, 1 << 28
INSIDE = "/packages"


def missing() -> str:
    """Which program is needed and is not installed, in words; empty if all are."""
    needed = ["bwrap", "setpriv"] if os.geteuid() == 0 else ["bwrap"]
    absent = [name for name in needed if shutil.which(name) is None]
    return f"{' and '.join(absent)} not found" if absent else ""


def sandbox(python: Path = PYTHON) -> Sandbox:
    """This sandbox, in which that Python runs the programs; and what it does not stop for want of a filter."""
    weakness = (
        ""
        if machine_filter()
        else f"generated programs run in bubblewrap without a filter of system calls (none for {platform.machine()}): "
        "they can pass their limits of memory and disk"
    )
    return Sandbox("bubblewrap", weakness, partial(launch, python))


def draw_uid() -> int:
    """A uid of no one."""
    return FIRST_UID + secrets.randbelow(NUM_UIDS)


@contextmanager
def launch(python: Path, arguments: Sequence[str], limits: Limits) -> Iterator[Launch]:
    """The command that runs Python with these arguments inside."""
    inside = [str(python), *arguments]
    command = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += [f"--unshare-{namespace}" for namespace in ("pid", "net", "ipc", "uts", "cgroup-try")]
    if os.geteuid() == 0:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            command += ["--cap-add", capability]
        uid = str(draw_uid())
        drop = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs"]
        inside = [*drop, "--bounding-set=-all", "--inh-caps=-all", "--", *inside]
    else:
        command += ["--unshare-user"]
    fds = _readable(machine_filter())
    for fd in fds:
        command += ["--seccomp", str(fd)]
    command += [*_scratch(limits.disk_mb << 20), *_files(), "--remount-ro", "/dev", "--remount-ro", "/"]
    # Bubblewrap itself has no other environment either: inside, it is a process that a program may look at.
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "OPENBLAS_NUM_THREADS": "1"}
    options = {"cwd": "/", "env": environment}
    try:
        yield Launch([*command, "--", *inside], options, limits.num_processes, [INSIDE], fds)
    finally:
        for fd in fds:
            os.close(fd)


def _readable(content: bytes) -> tuple[int, ...]:
    """A pipe to read a little content from, or none for no content."""
    if not content:
        return ()
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return (reading,)


def _files() -> list[str]:
    """What can be read: programs and libraries of the system, Python's own, the packages of `sandbox.PACKAGES`."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    prefix = Path(sys.base_prefix).resolve()
    if not prefix.is_relative_to("/usr"):
        # Made here with rights for all: the real ones, a home, may be closed to others.
        for parent in reversed(prefix.parents[:-1]):
            options += ["--perms", "0755", "--dir", str(parent)]
        options += ["--ro-bind", str(prefix), str(prefix)]
    options += ["--perms", "0755", "--dir", INSIDE]
    for path in package_directories():
        options += ["--ro-bind", str(path), f"{INSIDE}/{path.name}"]
    return options


def _scratch(size: int) -> list[str]:
    """What can be written: /tmp and /dev/shm, each half of the size."""
    # A shared mapping of /dev/zero is memory that nobody counts (see `seccomp`).
    options = ["--proc", "/proc", "--dev", "/dev", "--dev-bind", "/dev/null", "/dev/zero"]
    for path in ("/dev/shm", "/tmp"):
        options += ["--size", str(size // 2), "--perms", "1777", "--tmpfs", path]
    return [*options, "--chdir", "/tmp"]
