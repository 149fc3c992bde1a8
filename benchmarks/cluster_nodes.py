"""Several Ray nodes on this machine, which come and go: for what is measured on a cluster, and for its tests.

    with nodes(3) as cluster:
        subprocess.run([..., "--ray.address", cluster.address])
        cluster.lose_node()
        cluster.add_node()

    python benchmarks/cluster_nodes.py 3     # for another process; see `main`

Each node is a few processes of Ray's own. They belong to this process and end with it, through Ray's interface: nothing
is ended by its name. The process is no driver of theirs.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

from ray.cluster_utils import Cluster

STORE_BYTES = 80 * 2**20
WORKER = b"ray::Worker"
"""How the process of an actor of `Worker` calls itself."""


class Nodes:
    """A head that computes nothing, and nodes with one processor each."""

    def __init__(self) -> None:
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: list[Any] = []

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add_node(self) -> None:
        """One more."""
        self._nodes.append(self._cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES))

    def lose_node(self, index: int = 0) -> None:
        """One is gone at once, with all that runs on it."""
        self._cluster.remove_node(self._nodes.pop(index), allow_graceful=False)

    def workers(self) -> list[int]:
        """Processes of our actors on these nodes."""
        raylets = {info.process.pid for node in self._nodes for info in node.all_processes.get("raylet", [])}
        return [pid for pid, parent, name in _processes() if parent in raylets and name.startswith(WORKER)]

    def close(self) -> None:
        self._cluster.shutdown()


def _processes() -> Iterator[tuple[int, int, bytes]]:
    """(process, its parent, what it calls itself) of all that run."""
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            yield int(folder.name), parent, (folder / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue  # it is no process, or has ended meanwhile


def kill(pid: int) -> None:
    """End a process at once."""
    os.kill(pid, signal.SIGKILL)


@contextmanager
def nodes(number: int) -> Iterator[Nodes]:
    """A cluster of so many nodes beside its head."""
    cluster = Nodes()
    try:
        for _ in range(number):
            cluster.add_node()
        yield cluster
    finally:
        cluster.close()


def main(argv: list[str]) -> int:
    """Hold so many nodes until standard input ends: add, lose and workers are the words that are understood."""
    with nodes(int(argv[0])) as cluster:
        print(cluster.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "add":
                cluster.add_node()
            elif line.strip() == "lose":
                cluster.lose_node()
            print(*cluster.workers(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
