r"""Grading of mathematics: what the last box of a solution holds against the references, by value.

    with closing(MathGrader()) as grader:
        grader.grade([r"\frac{1}{2}"], r"so it is $\boxed{0.5}$").correct   # True

The answer is the content of the last `\boxed{}`; failing that, what the solution states in words (`stated`). Values are
compared by math-verify (github.com/huggingface/Math-Verify) in processes of their own; `latex` and `equality` mend its
gaps and keep apart what it takes for equal.
"""

import os
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

from elastic_reasoning.core.errors import require
from elastic_reasoning.grading.answers.latex import Tree, read
from elastic_reasoning.grading.answers.rules import DEFAULT
from elastic_reasoning.grading.answers.stated import find_answer
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.workers import Workers

EQUALITY = Path(__file__).with_name("equality.py")
LONGEST_ANSWER = 2000  # characters; the longest reference of the benchmarks has 210
DEEPEST_ANSWER = 16  # brackets in brackets; the deepest reference and saved answer have 4
REASONS = {"unequal": "wrong answer", "time limit": "time limit", "memory limit": "memory limit"}


class MathGrader:
    """Grades answers of mathematics, from any number of threads at once.

    Args:
        num_workers: processes, each started when it is first needed; 0 for as many as there are cores.
        timeout_seconds: processor time that one grade may take, so that a busy machine gives the same verdicts.
        rules: the names of the rules to go by (`rules.RULES`).
        workers: the processes, in place of `num_workers` of its own.

    Raises:
        MissingDependencyError: math-verify or pint is not installed.
    """

    def __init__(
        self,
        num_workers: int = 0,
        timeout_seconds: float = 5.0,
        rules: Collection[str] = DEFAULT,
        workers: Workers | None = None,
    ) -> None:
        for package in ("math_verify", "pint"):  # which are imported by the processes alone
            if find_spec(package) is None:
                require(package, "eval")
        self._workers = workers or Workers(num_workers or os.cpu_count() or 1, EQUALITY)
        self._timeout_seconds = timeout_seconds
        self._rules = frozenset(rules)

    def grade(self, references: Sequence[str], solution: str) -> Grade:
        """Whether the answer equals any of the references. Reasons: "no answer", "wrong answer", or "time limit"
        (of processor time) and "memory limit" where they could not be compared.

        Raises:
            GradingError: a grading process does not start, or the grader is closed.
        """
        stated = find_answer(solution)
        if stated is None:
            return Grade(correct=False, answer=None, reason="no answer", unboxed=True)
        outcome = self.compare(references, stated.text)
        if outcome in REASONS:
            return Grade(False, stated.text, REASONS[outcome], unboxed=not stated.boxed)
        return Grade(True, stated.text, unboxed=not stated.boxed, rule=outcome)

    def compare(self, references: Sequence[str], answer: str) -> str:
        """The rule by which an answer, without the solution around it, equals one of the references, or one of
        "unequal", "time limit" and "memory limit".

        Raises:
            GradingError: as in `grade`.
        """
        if len(answer) > LONGEST_ANSWER:
            return "unequal"
        wanted, found = [read(reference) for reference in references], read(answer)
        if found in wanted:
            return "identical"
        if nesting(answer) > DEEPEST_ANSWER:
            return "unequal"
        return self._workers.ask(wanted, found, self._rules, seconds=self._timeout_seconds)

    def same(self, one: Tree, other: Tree) -> bool:
        """Whether two normal forms of answers (`latex.read`) are equal by the same rules; not if undecided.

        Raises:
            GradingError: a grading process does not start, or the grader is closed.
        """
        if max(nesting(repr(form)) for form in (one, other)) > DEEPEST_ANSWER:
            return False
        return self._workers.ask([one], other, self._rules, seconds=self._timeout_seconds) not in REASONS

    def close(self) -> None:
        """End the processes."""
        self._workers.close()


def nesting(text: str) -> int:
    """How many brackets of any kind are open at once at most."""
    signs = (1 if mark in "([{" else -1 for mark in text if mark in "()[]{}")
    return max(accumulate(signs), default=0)
