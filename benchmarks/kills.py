"""What is left of a sweep that is killed at random moments, and whether its table is that of an undisturbed one.

    python benchmarks/kills.py                         # a table, and results/kills.json; about five minutes
    python benchmarks/kills.py --kills 2 --limit 16    # a smoke test, nothing written

`elastic sweep` runs as a process of its own, greedily, and is killed (SIGKILL) at a random moment between its start
and its end, again and again; then it runs to its end. After every kill the records are checked: every line that was
whole before is still there, and none is double. At the end each record is compared, token for token, with that of a
sweep that nobody killed. Where two differ, the model says how far apart the two tokens' logits were.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from provenance import provenance

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.engines.engine import as_messages
from elastic_reasoning.engines.loading import load
from elastic_reasoning.records.lines import KeyLine, read_line
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.report.columns import numbers_of
from elastic_reasoning.tasks.arithmetic import Arithmetic

RESULTS = Path(__file__).parent / "results" / "kills.json"
CLOSE = 1e-4
"""Logits that are no farther apart may be told apart by rounding alone."""


@dataclass(frozen=True)
class Outcome:
    """What 20 kills did.

    Attributes:
        num_kills: kills while the sweep was at work.
        num_before: records there were at each kill.
        num_records: records at the end, as many as there are keys.
        num_lost, num_doubled: whole lines that were gone after a kill, and keys that were there twice.
        num_torn_bytes: bytes of torn last lines that kills left.
        num_differing, num_explained: records with other tokens than the undisturbed sweep's; of these, those in which
            the two tokens' logits are within 1e-4 of each other.
        same_table: whether the table is that of the undisturbed sweep, where nothing differs.
    """

    num_kills: int
    num_before: list[int]
    num_records: int
    num_lost: int
    num_doubled: int
    num_torn_bytes: int
    num_differing: int
    num_explained: int
    same_table: bool

    @property
    def reached(self) -> bool:
        """Nothing lost, nothing double, and the same table but for what rounding explains."""
        whole = not self.num_lost and not self.num_doubled and self.num_differing == self.num_explained
        return whole and (self.same_table or self.num_differing > 0)


def command(out: Path, limit: int) -> list[str]:
    """A greedy sweep of both models under every kind of strategy."""
    flags = {
        "models": "mini,mini-e1",
        "strategies": "elastic,s1,vanilla,unconstrained",
        "budgets": "8+20,24+20,64+20,160+20",
        "options.answer_tokens": "4",
        "sampling.temperature": "0",
        "limit": str(limit),
        "max_rows": "16",
        "device": "cpu",
        "report": "false",
        "out": str(out),
    }
    return [sys.executable, "-m", "elastic_reasoning.cli.main", "sweep", *(f"--{k}={v}" for k, v in flags.items())]


def run_to_the_end(out: Path, limit: int) -> tuple[float, float]:
    """Sweep, and return after how many seconds the first record was there, and then how many the rest took."""
    begun = time.monotonic()
    first = None
    with subprocess.Popen(command(out, limit), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if first is None and whole_lines(out)[0]:
                first = time.monotonic()
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the sweep ended with status {process.returncode}")
    ended = time.monotonic()
    return (first or ended) - begun, ended - (first or ended)


def whole_lines(folder: Path) -> tuple[list[Key], int]:
    """The keys of the lines that are whole, and the bytes behind them."""
    path = folder / "records/main.jsonl"
    *lines, rest = (path.read_bytes() if path.exists() else b"").split(b"\n")
    return [read_line(line, KeyLine).key for line in lines], len(rest)


def measure(num_kills: int, limit: int, seed: int = 0) -> Outcome:
    """Kill a sweep so many times, and compare what comes of it with one that nobody killed."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, stormy = Path(folder, "calm"), Path(folder, "stormy")
        starting, working = run_to_the_end(calm, limit)
        before: list[Key] = []
        num_before, num_lost, num_doubled, num_torn = [], 0, 0, 0
        while len(num_before) < num_kills:
            process = subprocess.Popen(command(stormy, limit), stdout=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.8 * starting, starting + 1.5 * working / num_kills))
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break  # it was over before
            keys, torn = whole_lines(stormy)
            num_lost += len(set(before) - set(keys))
            num_doubled += len(keys) - len(set(keys))
            num_torn += torn
            num_before.append(len(keys))
            before = keys
        run_to_the_end(stormy, limit)
        keys, _ = whole_lines(stormy)
        undisturbed, killed = ({r.key: r for r in read_records(each)[1]} for each in (calm, stormy))
        differing = [
            (undisturbed[key], killed[key]) for key in undisturbed if tokens(undisturbed[key]) != tokens(killed[key])
        ]
        return Outcome(
            num_kills=len(num_before),
            num_before=num_before,
            num_records=len(killed),
            num_lost=num_lost + len(undisturbed.keys() - killed.keys()),
            num_doubled=num_doubled + len(keys) - len(set(keys)),
            num_torn_bytes=num_torn,
            num_differing=len(differing),
            num_explained=sum(gap(*pair) <= CLOSE for pair in differing),
            same_table=table(undisturbed) == table(killed),
        )


def tokens(record: Record) -> list[int]:
    """Every token of a record."""
    return [token for part in record.segments for token in part["ids"]]


def table(records: dict[Key, Record]) -> list[dict[str, object]]:
    """The rows of the table, without the records themselves; these are taken in one order, as sums are rounded."""
    rows = summarise(records[key] for key in sorted(records))
    return [numbers_of(row) for row in rows]


def gap(one: Record, other: Record) -> float:
    """How far apart the logits of the two tokens are, where two greedy records part."""
    engine = load(one.model, device="cpu")
    problem = next(p for p in Arithmetic().problems("test") if p.id == one.problem)
    messages = find_strategy(one.strategy).edit(as_messages(problem.messages), Budget.parse(one.budget))
    a, b = tokens(one), tokens(other)
    at = next((n for n, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1]), None)
    if at is None:
        return float("inf")  # one goes on where the other one ends
    ids = torch.tensor([[*engine.prompt(messages).ids, *a[:at]]])
    with torch.inference_mode():
        logits = engine.model(input_ids=ids).logits[0, -1]
    return float((logits[a[at]] - logits[b[at]]).abs())


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--limit", type=int, default=256, help="problems")
    parser.add_argument("--out", type=Path, default=None, help="JSON file; results/kills.json for a full run")
    arguments = parser.parse_args(argv)
    outcome = measure(arguments.kills, arguments.limit)
    report = {**provenance(), "num_problems": arguments.limit, **asdict(outcome), "reached": outcome.reached}
    print(json.dumps(report, indent=2))
    full = arguments.kills == 20 and arguments.limit == 256
    if path := arguments.out or (RESULTS if full else None):
        path.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if outcome.reached else 1


if __name__ == "__main__":
    sys.exit(main())
