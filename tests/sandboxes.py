"""The sandboxes that this machine has, and a watch over what a run leaves behind."""

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.grading.programs import bubblewrap, run, weak
from elastic_reasoning.grading.programs.probe import probe
from elastic_reasoning.grading.programs.sandbox import Sandbox

# The same Python for every account: the one of the tests may lie in a closed home.
OPEN_PYTHON = Path(f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}")
STRONG = "bubblewrap"
# As root the weak sandbox changes to another uid, where Python can be run by others; that protects much more.
DROPPED = "weak, other uid"
WEAK = "weak"


def sandbox(name: str) -> Sandbox:
    """One of the three, or a skip with the reason."""
    if name == STRONG:
        found = bubblewrap.sandbox()
        try:
            if bubblewrap.missing():
                pytest.skip(bubblewrap.missing())
            probe(found)
        except GradingError as error:
            pytest.skip(f"bubblewrap does not work here: {error}")
        return found
    if name == WEAK:
        return weak.sandbox("for a test", drops=False)
    if os.geteuid() != 0 or not OPEN_PYTHON.exists():
        pytest.skip(f"needs root and {OPEN_PYTHON}")
    return weak.sandbox("for a test", python=OPEN_PYTHON)


@contextmanager
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Fails if a process of a run outlives the block, or a file. Yields a mark for programs that start others: it is in
    the command line of every process of a run."""
    mark = f"mark-{secrets.token_hex(8)}"
    monkeypatch.setattr(run, "HARNESS", f"{run.HARNESS}\n# {mark}\n")
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o711)
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    try:
        yield mark
        assert not_gone(mark) == []
        assert list(directory.iterdir()) == []
    finally:
        monkeypatch.undo()
        shutil.rmtree(directory)


def not_gone(mark: str, seconds: float = 5.0) -> list[str]:
    """Command lines that hold the mark after at most so long: the kernel ends processes in its own time."""
    deadline = time.monotonic() + seconds
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def marked(mark: str) -> list[str]:
    """The ends of all command lines that hold the mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in line:
            found.append(f"{path.parent.name} {line[-60:]}")
    return found
