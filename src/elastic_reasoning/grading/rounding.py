r"""Answers that are more precise than their reference: rounded to its last digit they are the same.

    rounded_like("1538", "1538.46", value)           # "1538"
    rounded_like("0.53", r"\frac{8}{15}", value)     # "0.53"
    rounded_like("0.533", "0.53", value)             # "0.53": it is less precise, and another number

A reference 1538 does not say whether it is a count or was rounded: 12.4 is a wrong number of ways, and 1538.46 may be a
right number of kilometres. The grader therefore goes by this only when told to.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

RULE = "rounded reference"
NAME = re.compile(r"[A-Za-z](?:_\{?\w\}?)?\s*=\s*")
DECIMAL = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:\s*\\(?:times|cdot)\s*10\^(?:\{\s*(-?\d{1,3})\s*\}|(\d)))?")


def rounded_like(reference: Any, answer: Any, value: Callable[[str], Fraction | None]) -> Any:
    """The normal form of an answer, with the reference's number in place of each that is the same when rounded to it.

    Args:
        reference, answer: normal forms of `latex.read`.
        value: the real number that LaTeX stands for, or `None` where it is none.
    """
    if _is(answer, "unit"):
        return (*answer[:-1], rounded_like(reference[-1] if _is(reference, "unit") else reference, answer[-1], value))
    if _is(reference, "unit"):
        return rounded_like(reference[-1], answer, value)
    if isinstance(reference, str) and isinstance(answer, str):
        (_, wanted), (name, found) = _named(reference), _named(answer)
        return name + wanted if _rounds_to(wanted, found, value) else answer
    if not (isinstance(reference, tuple) and isinstance(answer, tuple)):
        return answer
    inside, others = reference[-1], answer[-1]
    if _is(answer, "percent") and _is(reference, "percent"):
        return ("percent", rounded_like(inside, others, value))
    if isinstance(inside, list) and isinstance(others, list) and len(inside) == len(others):
        return (answer[0], [rounded_like(*pair, value) for pair in zip(inside, others, strict=True)])
    return answer


def _is(tree: Any, kind: str) -> bool:
    return isinstance(tree, tuple) and tree[0] == kind


def _named(text: str) -> tuple[str, str]:
    """A value, and the variable that is said to have it."""
    name = NAME.match(text)
    return (name[0], text[name.end() :]) if name else ("", text)


def _rounds_to(reference: str, answer: str, value: Callable[[str], Fraction | None]) -> bool:
    """Whether a number lies within half a unit of the last digit that a decimal is written with."""
    decimal = DECIMAL.fullmatch(reference.strip())
    found = value(answer) if decimal else None
    if decimal is None or found is None:
        return False
    sign, whole, behind, power, digit = decimal.groups(default="")
    last = Fraction(10) ** (int(power or digit or 0) - len(behind))
    wanted = int(f"{sign}{whole}{behind}") * last
    return abs(found - wanted) <= last / 2
