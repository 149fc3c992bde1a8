"""Whether verdicts are the same on a busy machine: grades with four busy loops beside them, and without.

python benchmarks/busy.py --saved FOLDER     # completions that a model has written, see benchmarks/grading.py

Answers of mathematics are those of the saved completions; programs are HumanEval's kind, made here, some of which use
most of their time limit. Prints a table, and writes results/busy.json.
"""

import argparse
import gzip
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provenance import provenance

from elastic_reasoning.grading.answers.mathematics import MathGrader
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.programs.code import CodeGrader, CodeTests, StdinTest
from elastic_reasoning.grading.programs.sandbox import Limits

RESULTS = Path(__file__).parent / "results" / "busy.json"
NUM_LOOPS = 4
LIMITS = Limits(seconds=1.0)
PROGRAMS = {
    "short": "print(sum(map(int, input().split())))",
    "half of its time": "import time\nwhile time.process_time() < 0.5: pass\nprint(5)",
    "most of its time": "import time\nwhile time.process_time() < 0.8: pass\nprint(5)",
    "sleeps for half of its time": "import time\ntime.sleep(0.5)\nprint(5)",
    "too long": "while True: pass",
    "sleeps too long": "import time\ntime.sleep(99)",
    "wrong": "print(6)",
}
TIMES = 5
Verdict = tuple[bool, str | None]


def _spin() -> None:
    while True:
        pass


@contextmanager
def busy(num_loops: int) -> Iterator[None]:
    """Other processes that want the processor all the time."""
    loops = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(num_loops)]
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.join()


def mathematics(folder: Path, limit: int) -> dict[str, Callable[[], Grade]]:
    """A grade to make for each saved completion."""
    grader = MathGrader()
    made: dict[str, Callable[[], Grade]] = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines()[:limit]):
            row = json.loads(line)
            made[f"{path.name} {number}"] = lambda row=row: grader.grade([row["answer"]], row["completion"])
    return made


def programs() -> dict[str, Callable[[], Grade]]:
    """A grade to make for each program, several times each."""
    grader = CodeGrader(allow=True)
    tests = CodeTests(stdin=(StdinTest("2 3\n", "5\n"),), limits=LIMITS)
    return {
        f"{name} {number}": lambda source=source: grader.grade(tests, f"```python\n{source}\n```")
        for name, source in PROGRAMS.items()
        for number in range(TIMES)
    }


def verdicts(work: dict[str, Callable[[], Grade]]) -> tuple[dict[str, Verdict], float]:
    """What each comes to, by two threads, and how long that took."""
    start = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        grades = threads.map(lambda grade: grade(), work.values())
        found = {name: (grade.correct, grade.reason) for name, grade in zip(work, grades, strict=True)}
    return found, time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--saved", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100_000, help="completions of each file")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    report: dict[str, Any] = {**provenance(), "num_loops": NUM_LOOPS, "figures": []}
    for name, work in (("mathematics", mathematics(chosen.saved, chosen.limit)), ("programs", programs())):
        alone, seconds = verdicts(work)
        with busy(NUM_LOOPS):
            beside, busy_seconds = verdicts(work)
        figure = {
            "name": name,
            "num_verdicts": len(work),
            "num_same": sum(alone[each] == beside[each] for each in work),
            "num_limits": sum(reason in ("time limit", "memory limit") for _, reason in beside.values()),
            "seconds": round(seconds, 1),
            "busy_seconds": round(busy_seconds, 1),
            "differ": {each: [alone[each], beside[each]] for each in work if alone[each] != beside[each]},
        }
        report["figures"].append(figure)
        print(json.dumps(figure))
    chosen.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
