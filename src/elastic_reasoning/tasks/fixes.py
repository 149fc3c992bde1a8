"""What is wrong in published benchmarks, as a list with reasons.

The list is `fixes.jsonl`: one mended field of one problem a line. A fix is applied only where a row has the published
value, whichever source the row came from; a source that is mended already is left as it is. `elastic validate` lists
the fixes that were applied.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.tasks.fingerprint import fingerprint

LIST = Path(__file__).with_name("fixes.jsonl")


@dataclass(frozen=True, slots=True)
class Fix:
    """One mended field of one problem.

    Attributes:
        task: the benchmark.
        problem: fingerprint of the problem's text (`wording.fingerprint`).
        begins: how the problem begins, for readers.
        field: "answer", or "test".
        published: the values in circulation that are wrong; of a test the wrong part.
        mended: what stands for them, several where any of them is right.
        reason: why they are wrong.
        source: where the mended value is from.
    """

    task: str
    problem: str
    begins: str
    field: str
    published: tuple[str, ...]
    mended: tuple[str, ...]
    reason: str
    source: str


class Fixes:
    """The fixes of one task, and those that were applied."""

    def __init__(self, task: str) -> None:
        self.applied: dict[str, Fix] = {}
        self._fixes = {(fix.problem, fix.field): fix for fix in read_fixes() if fix.task == task}

    def answers(self, problem_id: str, problem: str, answers: tuple[str, ...]) -> tuple[str, ...]:
        """The answers of the problem named `own`, mended if they are the published ones that are wrong."""
        fix = self._fixes.get((fingerprint(problem), "answer"))
        found = set(map(_plain, answers))
        if not fix or not found <= set(map(_plain, fix.published)) or found == set(map(_plain, fix.mended)):
            return answers
        self.applied[problem_id] = fix
        return fix.mended

    def test(self, problem_id: str, problem: str, test: str) -> str:
        """The test of the problem named `own`, with a wrong part mended."""
        fix = self._fixes.get((fingerprint(problem), "test"))
        if not fix or not any(part in test for part in fix.published):
            return test
        self.applied[problem_id] = fix
        for part in fix.published:
            test = test.replace(part, fix.mended[0])
        return test


def _plain(answer: str) -> str:
    """An answer without blanks and dollar signs, which differ from source to source."""
    return "".join(answer.split()).strip("$")


def read_fixes() -> list[Fix]:
    """All fixes there are."""
    rows = map(json.loads, LIST.read_text(encoding="utf-8").splitlines())
    return [Fix(**{**row, "published": tuple(row["published"]), "mended": tuple(row["mended"])}) for row in rows]
