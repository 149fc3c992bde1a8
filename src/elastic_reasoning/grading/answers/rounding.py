r"""Answers that are more precise than their reference: rounded to its last digit they are the same.

    rounds_to("1538", Fraction("1538.46"))   # True
    rounds_to("0.53", Fraction(8, 15))       # True
    rounds_to("0.533", Fraction("0.53"))     # False: it is less precise, and another number

A reference 1538 does not say whether it is a count or was rounded: 12.4 is a wrong number of ways, and 1538.46 may be a
right number of kilometres. The grader therefore goes by this only when told to.
"""

import re
from fractions import Fraction

RULE = "rounded reference"
DECIMAL = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:\s*\\(?:times|cdot)\s*10\^(?:\{\s*(-?\d{1,3})\s*\}|(\d)))?")


def rounds_to(reference: str, number: Fraction) -> bool:
    """Whether a number lies within half a unit of the last digit that a decimal is written with."""
    decimal = DECIMAL.fullmatch(reference.strip())
    if decimal is None:
        return False
    sign, whole, behind, power, digit = decimal.groups(default="")
    last = Fraction(10) ** (int(power or digit or 0) - len(behind))
    return abs(number - int(f"{sign}{whole}{behind}") * last) <= last / 2
