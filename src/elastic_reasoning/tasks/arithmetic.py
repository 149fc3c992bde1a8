"""The task of the miniature: a chain of operations modulo 10, from left to right.

    task = Arithmetic()
    problem = task.problems("test", limit=1)[0]
    problem.messages[0]["content"]      # "a 4 b -8 c +7 d *3 ... ="
    task.grade(problem, "answer 9")     # Grade(correct=..., answer="9", reason=...)

A digit and 6 to 11 operations: `+` or `-` with 0-9, `*` with 3, 7 or 9. Every operation is a bijection of the digits,
so that no step can be skipped and a guess is right one time in ten. The split of a problem is read from a hash of
its text: training, validation and test problems are disjoint whatever is drawn, and with whichever seed.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import get_args

from elastic_reasoning.core.errors import TaskError, unknown
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.task import Problem, Split

TASKS = ("arithmetic",)
LETTERS = "abcdefghijkl"
NUM_OPERATIONS = range(6, 12)
SIGNS = "++--*"
OPERANDS = {"+": "0123456789", "-": "0123456789", "*": "379"}
ANSWER = re.compile(r"(?:^|\s)(?:answer|Final Answer:)\s+(\d+)(?!\S)")
SIZES: dict[Split, int] = {"train": 8192, "validation": 512, "test": 1024}


@dataclass(frozen=True, slots=True)
class Chain:
    """A start digit and operations such as "+7", "-8" or "*3"."""

    start: int
    operations: tuple[str, ...]

    @property
    def text(self) -> str:
        """The chain as it is asked, each value and operation after a letter of its own."""
        words = (str(self.start), *self.operations)
        return " ".join(f"{letter} {word}" for letter, word in zip(LETTERS, words, strict=False)) + " ="

    @property
    def values(self) -> tuple[int, ...]:
        """The digit after each operation `[num operations]`."""
        values, value = [], self.start
        for operation in self.operations:
            value = apply(operation, value)
            values.append(value)
        return tuple(values)

    @property
    def split(self) -> Split:
        """Eight tenths of all chains are training problems, one tenth each validation and test."""
        tenth = int.from_bytes(_digest(self.text), "big") % 10
        return "test" if tenth == 0 else "validation" if tenth == 1 else "train"

    def problem(self) -> Problem:
        """The chain as a question with its answer."""
        message = {"role": "user", "content": self.text}
        return Problem(f"arithmetic-{_digest(self.text).hex()}", (message,), str(self.values[-1]))


def apply(operation: str, value: int) -> int:
    """One step modulo 10: `apply("+7", 6)` is 3."""
    operand = int(operation[1:])
    match operation[0]:
        case "+":
            return (value + operand) % 10
        case "-":
            return (value - operand) % 10
        case _:
            return value * operand % 10


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=6).digest()


def chains(split: Split, seed: int = 0) -> Iterator[Chain]:
    """An endless stream of different chains of one split, the same for the same seed."""
    rng = random.Random(f"arithmetic {split} {seed}")
    seen: set[Chain] = set()
    while True:
        signs = rng.choices(SIGNS, k=rng.choice(NUM_OPERATIONS))
        chain = Chain(rng.randrange(10), tuple(sign + rng.choice(OPERANDS[sign]) for sign in signs))
        if chain.split == split and chain not in seen:
            seen.add(chain)
            yield chain


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The task: fixed lists of problems, and an endless stream of them for training."""

    name: str = "arithmetic"
    note: str = ""

    def problems(self, split: Split, limit: int | None = None) -> list[Problem]:
        """The first problems of a split: at most 8192 for training, 512 for validation and 1024 for test.

        Raises:
            TaskError: no such split, or a limit beyond its size.
        """
        if split not in get_args(Split):
            raise TaskError(unknown("split", split, get_args(Split)))
        size = SIZES[split]
        if limit is not None and not 0 <= limit <= size:
            raise TaskError(f"limit {limit} of task arithmetic: split {split!r} has 0 to {size} problems")
        return [chain.problem() for chain in islice(chains(split), size if limit is None else limit)]

    def stream(self, seed: int) -> Iterator[Problem]:
        """An endless stream of training problems, the same for the same seed."""
        return (chain.problem() for chain in chains("train", seed))

    def grade(self, problem: Problem, solution: str) -> Grade:
        """Compare the answer stated last, after "answer" or "Final Answer:", with the right one.

        The last one counts, as in graders of mathematics: naming several answers gains nothing.
        """
        stated = ANSWER.findall(solution)
        if not stated:
            return Grade(correct=False, answer=None, reason="no answer")
        correct = stated[-1] == problem.answer
        return Grade(correct, stated[-1], None if correct else "wrong answer")

    def close(self) -> None:
        """Nothing was started."""


def load(task: TaskConfig, grading: GradingConfig) -> Arithmetic:
    """The task, which has no options.

    Raises:
        TaskError: an option was given.
    """
    refuse_meaningless(task, grading)
    return Arithmetic(task.name)
