"""Real Ray nodes on this machine, in a process of their own: Ray leaves sockets and warnings behind."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Nodes:
    """Nodes that another process holds."""

    def __init__(self, number: int, log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, str(BENCHMARKS / "cluster_nodes.py"), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.address = self._answer()
        assert self.address, log.read_text()[-2000:]

    def tell(self, word: str) -> list[int]:
        """`add` or `lose` a node, or nothing of it. Returns the processes of workers."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return [int(pid) for pid in self._answer().split()]

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._log.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A head, and one node with one processor."""
    nodes = Nodes(1, tmp_path_factory.mktemp("nodes") / "log")
    yield nodes
    nodes.close()
