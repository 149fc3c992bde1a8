"""How fast two workers of a Ray cluster are beside one, and two processes without Ray beside one, in one run.

    python benchmarks/cluster_rate.py                # a table, and results/cluster_rate.json; about ten minutes
    python benchmarks/cluster_rate.py --quick        # one round of a shorter sweep, nothing written

Two workers on two processors share a memory and its caches, and so do two processes: the one is held against the other.
Each of the four is a sweep of its own; they take turns, and the median of the rounds counts. A rate is that of records
in the middle of a sweep: from when a fifth of them is there to when four fifths are.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster_nodes import Nodes, nodes
from provenance import provenance

RESULTS = Path(__file__).parent / "results" / "cluster_rate.json"
NUM_SETTINGS = 4


@dataclass(frozen=True)
class Outcome:
    """Records a second of each of the four, in each round; and the two gains.

    Attributes:
        one_process, two_processes, one_worker, two_workers: the rates.
        processes_gain, workers_gain: the median rate of two beside that of one.
        share: the gain of workers beside that of processes.
    """

    one_process: list[float]
    two_processes: list[float]
    one_worker: list[float]
    two_workers: list[float]
    processes_gain: float
    workers_gain: float
    share: float


def command(out: Path, limit: int, **flags: str) -> list[str]:
    """A sweep without sharing, so that each record is as much work as another."""
    all_flags = {
        "models": "mini-e1",
        "strategies": "elastic",
        "budgets": "24+20,32+20,48+20,64+20",
        "share": "false",
        "device": "cpu",
        "max_rows": "32",
        "limit": str(limit),
        "report": "false",
        "out": str(out),
        **flags,
    }
    return [sys.executable, "-m", "elastic_reasoning.cli.main", "sweep", *(f"--{k}={v}" for k, v in all_flags.items())]


def rate(commands: Sequence[list[str]], outs: Sequence[Path], total: int) -> float:
    """Records a second in the middle of what these sweeps write together."""
    processes = [subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for each in commands]
    begun, begun_at, ended, ended_at = 0, 0.0, 0, 0.0
    while any(process.poll() is None for process in processes):
        number, now = sum(map(num_lines, outs)), time.monotonic()
        if not begun_at and number >= total / 5:
            begun, begun_at = number, now
        if not ended_at and number >= 4 * total / 5:
            ended, ended_at = number, now
        time.sleep(0.02)
    for process in processes:
        if process.returncode:
            raise SystemExit(f"a sweep ended with status {process.returncode}")
    return round((ended - begun) / (ended_at - begun_at), 1)


def num_lines(out: Path) -> int:
    """Records that are written; part of a problem's are those of one file each."""
    return sum(path.read_bytes().count(b"\n") for path in (out / "records").glob("*.jsonl"))


def processes_rate(number: int, limit: int, folder: Path) -> float:
    """So many processes, each with its part of the problems in a folder of its own."""
    parts = [f"{part}/{number}" for part in range(1, number + 1)] if number > 1 else [""]
    outs = [folder / f"part{index}" for index in range(number)]
    commands = [command(out, limit, part=part) for out, part in zip(outs, parts, strict=True)]
    return rate(commands, outs, limit * NUM_SETTINGS)


def workers_rate(number: int, limit: int, folder: Path, cluster: Nodes) -> float:
    """So many workers."""
    flags = {"engine": "ray", "ray.address": cluster.address, "ray.workers": str(number)}
    out = folder / "run"
    return rate([command(out, limit, **flags)], [out], limit * NUM_SETTINGS)


def measure(num_rounds: int, limit: int) -> Outcome:
    rates: dict[str, list[float]] = {name: [] for name in ("p1", "p2", "w1", "w2")}
    with tempfile.TemporaryDirectory() as base, nodes(2) as cluster:
        for number in range(num_rounds):
            for name in rates:
                folder = Path(base, f"{name}-{number}")
                size, many = limit * int(name[1]), int(name[1])
                measured = (
                    processes_rate(many, size, folder) if name[0] == "p" else workers_rate(many, size, folder, cluster)
                )
                rates[name].append(measured)
                print(name, measured, file=sys.stderr, flush=True)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    processes_gain, workers_gain = middle["p2"] / middle["p1"], middle["w2"] / middle["w1"]
    return Outcome(
        one_process=rates["p1"],
        two_processes=rates["p2"],
        one_worker=rates["w1"],
        two_workers=rates["w2"],
        processes_gain=round(processes_gain, 3),
        workers_gain=round(workers_gain, 3),
        share=round(workers_gain / processes_gain, 3),
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of a shorter sweep, nothing written")
    parser.add_argument("--limit", type=int, default=None, help="problems for each worker or process")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    limit = arguments.limit or (64 if arguments.quick else 256)
    outcome = measure(1 if arguments.quick else 3, limit)
    reached = outcome.share >= 0.9
    report = {**provenance(), "num_problems_each": limit, **asdict(outcome), "reached": reached}
    print(json.dumps(report, indent=2))
    if path := arguments.out or (None if arguments.quick else RESULTS):
        path.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if reached or arguments.quick else 1


if __name__ == "__main__":
    sys.exit(main())
