"""What a folder of many records costs: table and report, and how a sweep decides what is left; time and memory.

    python benchmarks/records.py                        # 10^4, 10^5 and 10^6 records; results/records.json
    python benchmarks/records.py --sizes 2000           # a smoke test, nothing written

The records are made up: 17 settings of one model, some 30 samples a problem, 2,000 problems where they are a million;
thoughts of 5 to 120 words, three in ten answers wrong, fractions and roots among them. Two writers write them at once,
as two sweeps do. Each figure is of a process of its own, its start included, which reads from the page cache; the
memory is its greatest resident size.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice
from pathlib import Path

from elastic_reasoning.records.log import RecordsWriter
from elastic_reasoning.records.manifest import Manifest, write_manifest
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.tasks.task import Problem

RESULTS = Path(__file__).parent / "results" / "records.json"
SIZES = (10_000, 100_000, 1_000_000)
BUDGETS = ("256+256", "512+256", "1024+256", "2048+256", "512+1024", "1024+1024", "2048+1024", "3072+1024")
SETTINGS = [*((strategy, budget) for strategy in ("elastic", "s1") for budget in BUDGETS), ("unconstrained", "inf+inf")]
PER_PROBLEM = 500
WRITERS = ("a", "b")
SENTENCES = """so we have x^2 + 1 = 0 and the number of pairs is even wait let me check that again
each term sums to k over n then f(3) gives 7 which is prime therefore it holds for all but one."""
WORDS = SENTENCES.split()


def keys(num_records: int) -> Iterator[Key]:
    """The keys of so many records, as a sweep goes through them: by problem, sample, setting."""
    num_problems = max(1, num_records // PER_PROBLEM)
    num_samples = -(-num_records // (num_problems * len(SETTINGS)))
    every = (
        ("made-up", strategy, budget, f"problem-{number:04d}", sample)
        for number in range(num_problems)
        for sample in range(num_samples)
        for strategy, budget in SETTINGS
    )
    return islice(every, num_records)


def record(key: Key, rng: random.Random) -> Record:
    """A record as it might be."""
    _, strategy, _, problem, _ = key
    num = rng.randrange(5, 120)
    words = rng.choices(WORDS, k=num)
    right = rng.random() < 0.7
    reference = int(problem[-4:]) % 1000
    wrong = rng.choice((str(rng.randrange(1000)), f"\\frac{{{rng.randrange(9) + 1}}}{{7}}", f"{reference}\\sqrt{{2}}"))
    answer = str(reference) if right else wrong
    hit = strategy == "elastic" and rng.random() < 0.4
    solution = f"Therefore the answer is \\boxed{{{answer}}}."
    segments = [
        Part(
            phase="thinking",
            ids=[rng.randrange(150_000) for _ in range(num)],
            sampled=True,
            finish="length" if hit else "delimiter",
            text=" ".join(words).replace("one.", "one.\n"),
        ),
        Part(phase="closing", ids=[151_668], sampled=not hit, finish=None, text="</think>"),
        Part(
            phase="solution", ids=[rng.randrange(150_000) for _ in range(12)], sampled=True, finish="eos", text=solution
        ),
    ]
    return Record(
        *key,
        correct=right,
        answer=answer,
        reason=None if right else "wrong answer",
        unboxed=False,
        error=None,
        num_thinking_tokens=num,
        num_solution_tokens=12,
        num_forced_tokens=int(hit),
        num_reused_tokens=0,
        budget_hit=hit,
        forced_close=hit,
        solution_cut=False,
        escaped=rng.random() < 0.01,
        segments=segments,
        solution=solution,
        rule="same value" if right else "",
        seconds=0.01,
        logprobs=[[-0.25] * num, None, [-0.125] * 12],
    )


def make(folder: Path, num_records: int) -> None:
    """Write so many records, each writer its share."""
    every = list(dict.fromkeys(key[3] for key in keys(num_records)))
    problems = [Problem(name, ({"role": "user", "content": f"Find {name}."},), str(int(name[-4:]))) for name in every]
    config = {"models": ["made-up"], "strategies": ["elastic", "s1", "unconstrained"], "budgets": list(BUDGETS)}
    write_manifest(folder, Manifest.new("custom", "test", 0, config, problems))
    with ProcessPoolExecutor(len(WRITERS)) as pool:
        list(pool.map(write, [folder] * len(WRITERS), [num_records] * len(WRITERS), range(len(WRITERS))))


def write(folder: Path, num_records: int, number: int) -> None:
    """What one writer writes."""
    rng = random.Random(number)
    with RecordsWriter(folder, WRITERS[number]) as writer:
        for key in islice(keys(num_records), number, None, len(WRITERS)):
            writer.write(record(key, rng))


def resume(folder: Path, num_records: int) -> int:
    """How many records are left of a sweep that was asked for a thousand more."""
    more = ((*key[:4], key[4] + 1000) for key in islice(keys(num_records), 1000))
    with RecordsWriter(folder) as writer:
        return sum(key not in writer.done for key in chain(keys(num_records), more))


def report(folder: Path) -> int:
    """Print the table, write the report, and return the size of its page in bytes."""
    from elastic_reasoning.cli.report import main

    main([str(folder), "--out", str(folder / "report")])
    return (folder / "report" / "report.html").stat().st_size


def table(folder: Path) -> int:
    """The table alone; returns how many rows it has."""
    from elastic_reasoning.analysis.metrics import summarise
    from elastic_reasoning.records.log import read_records

    return len(summarise(read_records(folder)[1]))


PARTS = {"resume": resume, "table": table, "report": report}


def alone(part: str, folder: Path, num_records: int) -> dict[str, float]:
    """What a part costs in a process of its own, its start included: seconds on the clock and of processors."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), "--sizes", str(num_records)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "cpu_seconds": round(worked, 2), **json.loads(ran.stdout.splitlines()[-1])}


def measure(sizes: Sequence[int], folder: Path) -> list[dict[str, object]]:
    """The cost of every part at every size."""
    rows: list[dict[str, object]] = []
    for size in sizes:
        run = folder / str(size)
        if not run.exists():
            make(run, size)
        row: dict[str, object] = {"num_records": size}
        for name in ("records", "traces"):
            row[f"{name}_mib"] = round(sum(path.stat().st_size for path in (run / name).iterdir()) / 2**20)
        for part in PARTS:
            row[part] = alone(part, run, size)
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--part", choices=PARTS, help="measure one part in this process")
    parser.add_argument("--folder", type=Path, help="where the records are made, or lie")
    arguments = parser.parse_args(argv)
    if arguments.part:
        given = [arguments.folder, *(arguments.sizes if arguments.part == "resume" else ())]
        result = PARTS[arguments.part](*given)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"peak_mib": round(peak), "result": result}))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.sizes, arguments.folder or Path(folder))
    if arguments.sizes == list(SIZES):
        from provenance import provenance

        RESULTS.write_text(
            json.dumps({**provenance(), "load": round(os.getloadavg()[0], 1), "rows": rows}, indent=1) + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
