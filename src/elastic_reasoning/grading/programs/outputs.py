"""When the output of a program, or the value of a call, is a right one: as LiveCodeBench has it, and as statements say.

https://github.com/LiveCodeBench/LiveCodeBench/blob/main/lcb_runner/evaluation/testing_util.py
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

SEVERAL_OUTPUTS = "one of several outputs"
"""The rule of a verdict that a comparison with one right output gave where others are right too."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a problem accepts beside what was published.

    Attributes:
        any_case: letters may be upper or lower case.
        tolerance: numbers may differ by so much, absolutely or relatively to the published one; 0 for none.
        several: others may be right that look altogether different, which no comparison can tell.
        checker: source that defines `check(input, output, expected)`, true for a right one; it decides alone. For
            calls, `input` is the list of arguments, and `output` what was returned.
    """

    any_case: bool = False
    tolerance: float = 0.0
    several: bool = False
    checker: str = ""

    @property
    def rule(self) -> str:
        """The rule by which a program is judged."""
        if self.checker:
            return "checker"
        if self.several:
            return SEVERAL_OUTPUTS
        kinds = [name for name, given in (("any case", self.any_case), ("tolerance", self.tolerance)) if given]
        return " and ".join(kinds) or "same output"


PUBLISHED = Answers()
"""What was published, and nothing beside it."""


def same_output(printed: str, expected: str, answers: Answers = PUBLISHED) -> bool:
    """Whether two outputs agree line by line, without the white space around the whole and around each line.

    Two lines that differ agree still if both are rows of numbers and these are equal in value, `1.50` and `1.5`, or
    within what the problem tolerates.
    """
    if answers.any_case:
        printed, expected = printed.casefold(), expected.casefold()
    lines, expected_lines = _lines(printed), _lines(expected)
    return len(lines) == len(expected_lines) and all(
        _same_line(*pair, answers.tolerance) for pair in zip(lines, expected_lines, strict=True)
    )


def value_of(report: bytes) -> tuple[bool, Any]:
    """Whether a call gave a value, and which: as the harness wrote it, not to be trusted. As JSON, so that tuples are
    lists and keys strings."""
    try:
        return True, json.loads(report)["value"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return False, None


def same_value(value: Any, expected: Any, answers: Answers = PUBLISHED) -> bool:
    """Whether the value that a call gave is the expected one.

    Args:
        value: as `value_of` has it.
        expected: the right value.
        answers: what else is right.
    """
    try:
        return _same(value, json.loads(json.dumps(expected)), answers)
    except (ValueError, RecursionError, TypeError):
        return False


def _same(value: Any, expected: Any, answers: Answers) -> bool:
    if value == expected:
        return True
    if isinstance(value, list) and isinstance(expected, list):
        pairs = zip(value, expected, strict=False)
        return len(value) == len(expected) and all(_same(*pair, answers) for pair in pairs)
    if isinstance(value, str) and isinstance(expected, str):
        return answers.any_case and value.casefold() == expected.casefold()
    numbers = isinstance(value, int | float) and isinstance(expected, int | float)
    return numbers and _near(value, expected, answers.tolerance)


def _near(number: float, expected: float, tolerance: float) -> bool:
    difference = abs(number - expected)
    return tolerance > 0 and math.isfinite(difference) and difference <= tolerance * max(1.0, abs(expected))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_line(line: str, expected: str, tolerance: float) -> bool:
    if line == expected:
        return True
    try:
        pair: tuple[Sequence[Decimal], Sequence[Decimal]] = (_numbers(line), _numbers(expected))
        if pair[0] == pair[1]:
            return True
        return len(pair[0]) == len(pair[1]) and all(
            _near(float(a), float(b), tolerance) for a, b in zip(*pair, strict=True)
        )
    except (InvalidOperation, OverflowError, ValueError):
        return False


def _numbers(line: str) -> list[Decimal]:
    return [Decimal(word) for word in line.split()]
