"""Published solutions pass their own tests, and empty ones do not."""

from typing import Any

import pytest

from elastic_reasoning.grading.programs.code import CodeGrader, CodeTests
from elastic_reasoning.grading.programs.sandbox import Limits
from shared_data import BENCHMARKS, needs_data, rows

pytestmark = needs_data
# HumanEval+ imports numpy, and takes its time.
LIMITS = Limits(seconds=60.0, memory_mb=4096)
FILES = ["humaneval.jsonl", "humanevalplus.jsonl.gz"]
LEETCODE = "".join(
    f"from {module} import *\n"
    for module in ("typing", "collections", "itertools", "functools", "operator", "math", "heapq", "bisect", "string")
) + ("import bisect, collections, heapq, math, random, re, string\ninf = math.inf\n")


def grade(grader: CodeGrader, row: dict[str, Any], body: str) -> str | None:
    tests = CodeTests(check=row["test"], entry_point=row["entry_point"], prelude=row["problem"], limits=LIMITS)
    return grader.grade(tests, f"```python\n{body}\n```").reason


@pytest.mark.parametrize("file", FILES)
def test_a_sample_of_references(file: str) -> None:
    grader = CodeGrader(allow=True)
    for row in rows(BENCHMARKS / file)[::18]:
        assert grade(grader, row, row["canonical_solution"]) is None, row["id"]
        assert grade(grader, row, "    return None") == "wrong answer", row["id"]


@pytest.mark.full
@pytest.mark.parametrize("file", FILES)
def test_all_references(file: str) -> None:
    grader = CodeGrader(allow=True)
    reasons = {row["id"]: grade(grader, row, row["canonical_solution"]) for row in rows(BENCHMARKS / file)}
    assert {name: reason for name, reason in reasons.items() if reason} == {}
    assert len(reasons) == 164


@pytest.mark.full
def test_all_references_of_leetcode() -> None:
    grader = CodeGrader(allow=True)
    reasons = {}
    for row in rows(BENCHMARKS / "leetcode.jsonl"):
        check = row["functional"]
        # The name in the file is sometimes that of a helper; the test's own last line has the right one.
        name = check.rstrip().rpartition(".")[2].rstrip(")")
        tests = CodeTests(check=check, entry_point=name, prelude=LEETCODE)
        reasons[row["id"]] = grader.grade(tests, f"```python\n{row['solutions']}\n```").reason
    assert {name: reason for name, reason in reasons.items() if reason} == {}
