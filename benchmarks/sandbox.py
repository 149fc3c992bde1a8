"""What grading programs costs, and whether published solutions pass: the sandboxes side by side.

python benchmarks/sandbox.py
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

from provenance import provenance
from rich.console import Console

from elastic_reasoning.grading.programs import weak
from elastic_reasoning.grading.programs.code import CodeGrader, CodeTests, StdinTest
from elastic_reasoning.grading.programs.sandbox import PYTHON, Limits

RESULTS = Path(__file__).parent / "results" / "sandbox.json"
DATA = Path(__file__).parents[2] / "shared" / "data" / "benchmarks"
PRINTING = CodeTests(stdin=(StdinTest("2 3\n", "5\n"),))
CHECKING = CodeTests(check="def check(candidate):\n    assert candidate(2, 3) == 5\n", entry_point="f")
SOLUTIONS = {
    "one stdin/stdout test": (PRINTING, "```python\nprint(sum(map(int, input().split())))\n```"),
    "one check(candidate)": (CHECKING, "```python\ndef f(a, b):\n    return a + b\n```"),
}
HUMAN_EVAL = {"HumanEval": "humaneval.jsonl", "HumanEval+": "humanevalplus.jsonl.gz"}


def graders() -> dict[str, CodeGrader]:
    """The sandbox that works here and, if it is another, the weak one."""
    found = CodeGrader(allow=True)
    if found.sandbox == "weak":
        return {"weak": found}
    return {"bubblewrap": found, "weak": CodeGrader(allow=True, sandbox=weak.sandbox("to compare"))}


def seconds_of(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cost(num_repeats: int) -> dict[str, dict[str, float]]:
    """Median seconds of a whole grade, the sandboxes in turn; and of starting Python, which no sandbox can avoid."""
    python = [str(PYTHON), "-I", "-S", "-c", "pass"]
    works = {("python -c pass", ""): lambda: subprocess.run(python, check=True)}
    for name, grader in graders().items():
        for kind, (tests, solution) in SOLUTIONS.items():
            works[kind, name] = lambda grader=grader, tests=tests, solution=solution: passed(grader, tests, solution)
    durations: dict[Any, list[float]] = {key: [] for key in works}
    for _ in range(num_repeats + 1):
        for key, work in works.items():
            durations[key].append(seconds_of(work))
    table: dict[str, dict[str, float]] = {}
    for (kind, name), values in durations.items():
        table.setdefault(kind, {})[name or "no sandbox"] = round(median(values[1:]), 4)
    return table


def passed(grader: CodeGrader, tests: CodeTests, solution: str) -> None:
    grade = grader.grade(tests, solution)
    assert grade.correct, grade.reason


def throughput(num_grades: int, num_rounds: int = 3) -> dict[str, float]:
    """Grades a second with one and with two workers, in turn; the better of some rounds each."""
    tests, solution = SOLUTIONS["one stdin/stdout test"]
    best = {1: 0.0, 2: 0.0}
    for _ in range(num_rounds):
        for num_workers in best:
            grader = CodeGrader(allow=True, num_workers=num_workers)
            with ThreadPoolExecutor(num_workers) as pool:
                start = time.perf_counter()
                list(pool.map(passed, [grader] * num_grades, repeat(tests), repeat(solution)))
                best[num_workers] = max(best[num_workers], num_grades / (time.perf_counter() - start))
    return {
        "one worker, grades a second": round(best[1], 1),
        "two workers, grades a second": round(best[2], 1),
        "ratio": round(best[2] / best[1], 2),
    }


def references(path: Path) -> dict[str, Any]:
    """Whether each published solution passes its own tests."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in content.splitlines()]
    grader = CodeGrader(allow=True, num_workers=1)
    limits = Limits(seconds=60.0, memory_mb=4096)
    durations, failed = {}, {}
    for row in rows:
        tests = CodeTests(check=row["test"], entry_point=row["entry_point"], prelude=row["problem"], limits=limits)
        solution = f"```python\n{row['canonical_solution']}\n```"
        start = time.perf_counter()
        grade = grader.grade(tests, solution)
        durations[row["id"]] = time.perf_counter() - start
        if not grade.correct:
            failed[row["id"]] = grade.reason
    slowest = max(durations, key=lambda name: durations[name])
    return {
        "rows": len(rows),
        "passed": len(rows) - len(failed),
        "failed": failed,
        "rows whose published test was mended": [row["id"] for row in rows if row.get("test_patched")],
        "median seconds": round(median(durations.values()), 3),
        "slowest": {slowest: round(durations[slowest], 1)},
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="directory with the rows of HumanEval and HumanEval+")
    parser.add_argument("--repeats", type=int, default=50)
    options = parser.parse_args(arguments)
    bwrap = shutil.which("bwrap")
    version = subprocess.run([bwrap, "--version"], capture_output=True, text=True).stdout.strip() if bwrap else None
    figures: dict[str, Any] = {
        "bubblewrap": version,
        "median seconds": cost(options.repeats),
        "workers": throughput(options.repeats * 2),
    }
    for name, file in HUMAN_EVAL.items():
        if (options.data / file).exists():
            figures[name] = references(options.data / file)
    Console(width=100).print(figures)
    if options.repeats >= 50:
        RESULTS.write_text(json.dumps({**provenance(), "figures": figures}, indent=1) + "\n")
    return 0 if all(not figures[name]["failed"] for name in HUMAN_EVAL if name in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
