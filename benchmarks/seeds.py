"""Several training seeds at once: child processes of one thread each, and what their runs and records hold."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Record

DONE = "done"  # a file in the folder of a piece of work that is finished


def run_children(script: str, pieces: Mapping[str, str | None], jobs: int, flags: Sequence[str]) -> None:
    """Call a script with `--one PIECE` for each piece of work, some at a time.

    Args:
        script: the path of the script.
        pieces: each with the one that must be finished before it, which stands before it here.
        jobs: how many run at once, one thread each.
        flags: what every call is given beside.
    """

    def run(piece: str, before: Future[int] | None) -> int:
        if before is not None and before.result():
            return 1
        command = [sys.executable, script, "--one", piece, *flags]
        return subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode

    with ThreadPoolExecutor(jobs) as pool:  # it takes the pieces in order: who waits, waits for one that has begun
        running: dict[str, Future[int]] = {}
        for piece, before in pieces.items():
            running[piece] = pool.submit(run, piece, running.get(before or ""))
    if any(future.result() for future in running.values()):
        raise SystemExit("a part failed; what is finished is kept, run the same command again")


def labelled(folder: Path, names: Sequence[str], number: int) -> list[Record]:
    """The records of one seed, as sample `number` of models with these names, given in their order."""
    manifest, records = read_records(folder)
    by_model = dict(zip(manifest.config["models"], names, strict=True))
    return [replace(record, model=by_model[record.model], sample=number) for record in records]


def by_seed(records: list[Record], seeds: list[int]) -> list[tuple[str, list[Record]]]:
    """All records together, then those of each seed."""
    parts = [(f"seed {seed}", [r for r in records if r.sample == n]) for n, seed in enumerate(seeds)]
    return [("all seeds", records), *parts]


def training_cost(folder: Path, num_rollouts: int) -> dict[str, float]:
    """What a training run sampled, tokens that several cuts share counted once, and the seconds its steps took."""
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "steps": len(steps),
        "sampled_tokens": round(sum(step["sampled_tokens"] for step in steps) * num_rollouts),
        "seconds": round(sum(step["step_seconds"] for step in steps)),
    }
