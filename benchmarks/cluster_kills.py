"""A sweep on a Ray cluster whose machines, workers and driver are killed, and whether its table is the undisturbed one.

    python benchmarks/cluster_kills.py                  # a table, and results/cluster_kills.json; 15 minutes
    python benchmarks/cluster_kills.py --quick          # two runs, nothing written

Three nodes of a cluster lie on this machine. In each run `elastic sweep --engine ray` begins, and at random moments a
node is lost, a worker and the driver are killed (SIGKILL); a node joins in place of the lost one, and the driver is
started again. At the end every record is there once, and is compared token for token with that of a sweep that
nobody disturbed, as in kills.py. A file in which workers count what they have answered tells how much was done twice:
for each worker that was lost at most the unit that it was working on. A driver takes all of its workers with it.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster_nodes import Nodes, kill, nodes
from counting_engine import FILE
from kills import CLOSE, gap, table, tokens, whole_lines
from provenance import provenance

from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Key, Record

RESULTS = Path(__file__).parent / "results" / "cluster_kills.json"
NUM_NODES = 3
CHUNK = 4
"""Problems of a unit."""
BUDGETS = ("8+20", "24+20", "64+20", "160+20")
STRATEGIES = ("elastic", "s1")
UNIT = CHUNK * len(BUDGETS) * len(STRATEGIES)
"""Records of a unit."""
WAIT_SECONDS = 300.0


@dataclass(frozen=True)
class Run:
    """What came of one run.

    Attributes:
        kills: what was killed, in order.
        num_records, num_lost, num_doubled: records at the end, keys that lack one, and lines beyond one for a key.
        num_repeated: records that workers made more than once.
        num_lost_workers: workers that the kills took.
        num_differing, num_explained: as in kills.py.
        same_table: whether the table is the undisturbed one.
        seconds: how long it took.
    """

    kills: list[str]
    num_records: int
    num_lost: int
    num_doubled: int
    num_repeated: int
    num_lost_workers: int
    num_differing: int
    num_explained: int
    same_table: bool
    seconds: float

    @property
    def reached(self) -> bool:
        """Nothing lost, nothing double, the same table but for rounding, and at most a unit twice for each worker."""
        whole = not self.num_lost and not self.num_doubled and self.num_differing == self.num_explained
        same = self.same_table or self.num_differing > 0
        return whole and same and self.num_repeated <= UNIT * self.num_lost_workers


class Storm:
    """A sweep that things happen to."""

    def __init__(self, cluster: Nodes, out: Path, limit: int) -> None:
        self.cluster, self.out, self.limit = cluster, out, limit
        self.counted, self.said = out.with_suffix(".counted"), out.with_suffix(".said")
        self.num_lost_workers = 0
        self.driver = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        engine = Path(__file__).with_name("counting_engine.py")
        runtime = {"env_vars": {FILE: str(self.counted)}}
        flags = {
            "models": "mini-e1",
            "strategies": ",".join(STRATEGIES),
            "budgets": ",".join(BUDGETS),
            "options.answer_tokens": "4",
            "sampling.temperature": "0",
            "limit": str(self.limit),
            "max_rows": "32",
            "engine": "ray",
            "ray.engine": f"{engine}:open_engine",
            "ray.address": self.cluster.address,
            "ray.chunk": str(CHUNK),
            "ray.runtime_env": json.dumps(runtime),
            "report": "false",
            "out": str(self.out),
        }
        command = [
            sys.executable,
            "-m",
            "elastic_reasoning.cli.main",
            "sweep",
            *(f"--{k}={v}" for k, v in flags.items()),
        ]
        with self.said.open("ab") as said:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)

    @property
    def is_over(self) -> bool:
        return self.driver.poll() is not None

    def num_records(self) -> int:
        return len(whole_lines(self.out)[0])

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, or the sweep is over."""
        until = time.monotonic() + WAIT_SECONDS
        while not condition() and not self.is_over:
            if time.monotonic() > until:
                raise SystemExit(f"the sweep does not go on: {self.said.read_text()[-1000:]}")
            time.sleep(0.05)

    def kill(self, what: str, rng: random.Random) -> None:
        """A node, a worker or the driver."""
        workers = self.cluster.workers()
        if what == "driver":
            self.driver.kill()
            self.driver.wait()
            self.num_lost_workers += len(workers)
            self.driver = self._start()
        elif what == "node":
            self.num_lost_workers += 1
            self.cluster.lose_node(rng.randrange(NUM_NODES))
            self.cluster.add_node()
        elif workers:
            self.num_lost_workers += 1
            kill(rng.choice(workers))

    def end(self) -> None:
        if self.driver.wait(WAIT_SECONDS):
            raise SystemExit(f"the sweep ended with status {self.driver.returncode}: {self.said.read_text()[-1000:]}")


def run_once(cluster: Nodes, folder: Path, limit: int, kills: list[str], rng: random.Random) -> tuple[Storm, float]:
    """A sweep with these kills, each after a random number of new records."""
    begun = time.monotonic()
    storm = Storm(cluster, folder, limit)
    total = limit * len(BUDGETS) * len(STRATEGIES)
    try:
        for what in kills:
            goal = storm.num_records() + rng.randrange(1, total // (len(kills) + 1))
            storm.wait_for(lambda goal=goal: storm.num_records() >= goal)
            if not storm.is_over:
                storm.kill(what, rng)
        storm.end()
    finally:
        storm.driver.kill()  # one that is over already takes no notice
    return storm, time.monotonic() - begun


def compared(storm: Storm, seconds: float, kills: list[str], calm: dict[Key, Record]) -> Run:
    """What a run came to, beside the undisturbed one."""
    lines, _ = whole_lines(storm.out)
    found = {record.key: record for record in read_records(storm.out)[1]}
    differing = [(calm[key], found[key]) for key in calm if key in found and tokens(calm[key]) != tokens(found[key])]
    made = Counter(storm.counted.read_text().splitlines())
    return Run(
        kills=kills,
        num_records=len(found),
        num_lost=len(calm.keys() - found.keys()),
        num_doubled=len(lines) - len(set(lines)),
        num_repeated=sum(made.values()) - len(made),
        num_lost_workers=storm.num_lost_workers,
        num_differing=len(differing),
        num_explained=sum(gap(*pair) <= CLOSE for pair in differing),
        same_table=table(found) == table(calm),
        seconds=round(seconds, 1),
    )


def measure(num_runs: int, limit: int, seed: int = 0) -> list[Run]:
    """So many runs with three kills each, beside one without."""
    rng = random.Random(seed)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder, nodes(NUM_NODES) as cluster:
        quiet, _ = run_once(cluster, Path(folder, "calm"), limit, [], rng)
        calm = {record.key: record for record in read_records(quiet.out)[1]}
        for number in range(num_runs):
            kills = rng.sample(["node", "worker", "driver"], 3)
            storm, seconds = run_once(cluster, Path(folder, f"run{number}"), limit, kills, rng)
            runs.append(compared(storm, seconds, kills, calm))
            print(json.dumps(asdict(runs[-1])), file=sys.stderr, flush=True)
    return runs


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two runs, nothing written")
    parser.add_argument("--limit", type=int, default=96, help="problems")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    runs = measure(2 if arguments.quick else 20, arguments.limit)
    reached = all(run.reached for run in runs)
    sums = {
        name: sum(getattr(run, name) for run in runs)
        for name in ("num_lost", "num_doubled", "num_repeated", "num_lost_workers", "num_differing", "num_explained")
    }
    report = {
        **provenance(),
        "num_nodes": NUM_NODES,
        "num_problems": arguments.limit,
        "unit": UNIT,
        "num_runs": len(runs),
        "num_kills": sum(len(run.kills) for run in runs),
        **sums,
        "num_same_tables": sum(run.same_table for run in runs),
        "runs": [asdict(run) for run in runs],
        "reached": reached,
    }
    print(json.dumps(report, indent=2))
    if path := arguments.out or (None if arguments.quick else RESULTS):
        path.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
