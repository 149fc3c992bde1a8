"""By which rules answers of mathematics are right, and what was rejected for an assumption that was not made.

    found = explain(file_pairs(Path("pairs.jsonl")), DEFAULT)
    found.rules        # how many answers are right by each rule
    found.assumed      # what was accepted only by an assumption
    found.missed       # what was rejected, and would be right by one more assumption

Rejected answers that are right become rewards of 0: they are found here before anything is trained on them.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.evaluation.regrade import problems_of, stored_task
from elastic_reasoning.grading.answers.mathematics import MathGrader
from elastic_reasoning.grading.answers.rules import ALL, RULES
from elastic_reasoning.grading.answers.stated import find_answer
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import read_manifest
from elastic_reasoning.tasks.fields import Field, answers, read_field, text
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.mathematics import math_rules
from elastic_reasoning.tasks.rows import read_file

REFERENCE = Field(("reference", "references", "answer", "answers"), answers)
ID: Field[str] = Field(("id", "unique_id"), str, default="", required=False)
SOLUTION = Field(("solution", "completion"), text)
ASSUMED = frozenset(rule.name for rule in RULES if rule.assumes)


@dataclass(frozen=True, slots=True)
class Pair:
    """References and a solution, and what they belong to."""

    problem: str
    references: tuple[str, ...]
    solution: str


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to one problem.

    Attributes:
        rule: by which it is right, or would be.
        num: how many solutions have it.
    """

    rule: str
    problem: str
    references: tuple[str, ...]
    answer: str
    num: int


@dataclass(frozen=True, slots=True)
class Explained:
    """What was found.

    Attributes:
        num_solutions, num_without_answer: solutions, and those that state no answer.
        rules: solutions that are right, counted by rule.
        reasons: solutions with an answer that is not right, counted by reason.
        assumed: answers accepted only by an assumption, the most frequent first.
        missed: answers rejected that would be accepted by a rule that is off.
    """

    num_solutions: int
    num_without_answer: int
    rules: Counter[str]
    reasons: Counter[str]
    assumed: list[Case]
    missed: list[Case]


def explain(pairs: Iterable[Pair], rules: Collection[str], workers: int = 0) -> Explained:
    """Compare each answer by the given rules, and what is rejected once more by all of them.

    Args:
        pairs: as from `stored_pairs` or `file_pairs`.
        rules: names of the rules in force.
        workers: processes that compare; 0 for as many as there are cores.

    Raises:
        MissingDependencyError: math-verify or pint is not installed.
        GradingError: a process does not start.
    """
    counted: Counter[tuple[str, tuple[str, ...], str]] = Counter()
    num_solutions = num_without = 0
    for pair in pairs:
        num_solutions += 1
        stated = find_answer(pair.solution)
        if stated is None:
            num_without += 1
        else:
            counted[pair.problem, pair.references, stated.text] += 1
    workers = workers or os.cpu_count() or 1
    by_rule: Counter[str] = Counter()
    by_reason: Counter[str] = Counter()
    assumed: list[Case] = []
    missed: list[Case] = []
    items = counted.most_common()
    with closing(MathGrader(workers, rules=rules)) as grader, closing(MathGrader(workers, rules=ALL)) as lenient:

        def outcomes(item: tuple[str, tuple[str, ...], str]) -> tuple[str, str]:
            _, references, answer = item
            outcome = grader.compare(references, answer)
            return outcome, lenient.compare(references, answer) if outcome == "unequal" else outcome

        with ThreadPoolExecutor(workers) as threads:
            found = threads.map(outcomes, [item for item, _ in items])
            for (item, num), (strict, wide) in zip(items, found, strict=True):
                if strict in ALL:
                    by_rule[strict] += num
                    assumed += [Case(strict, *item, num)] if strict in ASSUMED else []
                    continue
                by_reason["wrong answer" if strict == "unequal" else strict] += num
                missed += [Case(wide, *item, num)] if wide in ALL else []
    return Explained(num_solutions, num_without, by_rule, by_reason, assumed, missed)


def stored_pairs(folder: Path, data: str, grading: GradingConfig) -> tuple[Iterator[Pair], frozenset[str]]:
    """The solutions of a sweep with the references of their problems as the task has them now; the rules of the run.

    Raises:
        UsageError: no problem of the task is graded as mathematics.
        ElasticError: the folder or the task cannot be read.
    """
    manifest = read_manifest(folder)
    which, grading = stored_task(manifest, data, grading)
    with closing(load_task(which, grading)) as task:
        problems = {problem.id: problem.data for problem in problems_of(task, manifest)}
    graded = {
        name: data["answers"]
        for name, data in problems.items()
        if "answers" in data and data.get("grader", "math") == "math"
    }
    if not graded:
        raise UsageError(f"task {manifest.task} is not graded as mathematics: there are no rules to explain")
    records = read_records(folder)[1].graded()
    pairs = (
        Pair(record.problem, tuple(graded[record.problem]), record.solution)
        for record in records
        if record.problem in graded
    )
    return pairs, math_rules(grading)


def file_pairs(path: Path) -> Iterator[Pair]:
    """The rows of a JSONL or Parquet file with `reference` (or several), `solution` and perhaps `id`.

    Raises:
        TaskError: the file cannot be read, or a row lacks a field.
    """
    for place, row in read_file(path):
        yield Pair(read_field(ID, place, row), read_field(REFERENCE, place, row), read_field(SOLUTION, place, row))
