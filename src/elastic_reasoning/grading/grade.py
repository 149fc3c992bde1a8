"""The verdict on one solution, whichever grader gave it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elastic_reasoning.grading.tally import Tally


@dataclass(frozen=True, slots=True)
class Grade:
    """The verdict on one solution.

    Attributes:
        correct: whether it is right.
        answer: the answer found in it (for code: the program), or `None`.
        reason: why it is not correct ("no answer", "wrong answer", "time limit", ...), or `None`.
        unboxed: a box was asked for, and none holds an answer (there is none, or the last one is empty, never closes or
            names no option), whether or not one was found in another way.
        rule: by which rule it is correct (`rules.RULES`), where the grader has several; for programs the one that
            outputs are compared by (`outputs.Answers.rule`), right or wrong; else empty.
        tallies: what was counted beside the verdict, as the instructions of several that were followed.
    """

    correct: bool
    answer: str | None
    reason: str | None = None
    unboxed: bool = False
    rule: str = ""
    tallies: "tuple[Tally, ...]" = ()
