"""When the output of a program, or the value of a call, is the expected one: as LiveCodeBench has it.

https://github.com/LiveCodeBench/LiveCodeBench/blob/main/lcb_runner/evaluation/testing_util.py
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any


def same_output(printed: str, expected: str) -> bool:
    """Whether two outputs agree line by line, without the white space around the whole and around each line.

    Two lines that differ agree still if both are rows of numbers and these are equal in value: `1.50` equals `1.5`.
    There is no tolerance.
    """
    lines, expected_lines = _lines(printed), _lines(expected)
    return len(lines) == len(expected_lines) and all(map(_same_line, lines, expected_lines))


def same_value(report: bytes, expected: Any) -> bool:
    """Whether the value that a call gave is the expected one.

    Args:
        report: the value as the harness wrote it; not to be trusted. As JSON, so that tuples are lists and
            keys strings.
        expected: the right value.
    """
    try:
        return bool(json.loads(report)["value"] == json.loads(json.dumps(expected)))
    except (ValueError, RecursionError, KeyError, TypeError):
        return False


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_line(line: str, expected: str) -> bool:
    if line == expected:
        return True
    try:
        return [Decimal(word) for word in line.split()] == [Decimal(word) for word in expected.split()]
    except InvalidOperation:
        return False
