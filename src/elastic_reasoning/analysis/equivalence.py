r"""Which answers to a problem are the same answer, as the votes for a majority need it.

with closing(Equivalence()) as equivalence:
    equivalence.same(form_of("0.5"), form_of(r"\frac{1}{2}"))    # True
"""

import re
from fractions import Fraction
from importlib.util import find_spec

from elastic_reasoning.grading.answers.latex import Tree, read
from elastic_reasoning.grading.answers.mathematics import LONGEST_ANSWER, MathGrader

RATIONAL = re.compile(r"(-?)(?:\\frac\{(\d+)\}\{(\d+)\}|(\d+)/(\d+)|(\d+(?:\.\d+)?))")
COMPARE_SECONDS = 1.0
DIGITS = 300

Form = Tree | Fraction


class Equivalence:
    """When two answers are the same one: by the grader of mathematics, each pair compared once.

    Without math-verify only what reads alike or is the same rational number is the same. `close` ends its process.
    """

    def __init__(self) -> None:
        self._grader: MathGrader | None = None
        self._known: dict[tuple[str, str], bool] = {}
        self._can_compare = find_spec("math_verify") is not None

    def same(self, one: Form, other: Form) -> bool:
        """Whether two normal forms have the same value, in whichever order they are given."""
        if one == other:
            return True
        if not self._can_compare or (_is_decimal(one) and _is_decimal(other)):
            return False
        first, second = sorted((_latex(one), _latex(other)), key=repr)
        pair = repr(first), repr(second)
        if pair not in self._known:
            self._grader = self._grader or MathGrader(1, COMPARE_SECONDS)
            self._known[pair] = self._grader.same(first, second)
        return self._known[pair]

    def close(self) -> None:
        """End the process that compares, if one was started."""
        if self._grader:
            self._grader.close()


def _is_decimal(form: Form) -> bool:
    """Whether it is a number that has a finite decimal: two of those are the same only if they are equal."""
    return isinstance(form, Fraction) and 10**DIGITS % form.denominator == 0


def form_of(answer: str) -> Form:
    """The normal form of an answer: a rational number as such, however it is written."""
    if len(answer) > LONGEST_ANSWER:
        return "".join(answer.split())
    form = read(answer)
    number = RATIONAL.fullmatch(form) if isinstance(form, str) else None
    if number is None:
        return form
    sign, *parts = number.groups(default="")
    top, bottom = next((top, bottom) for top, bottom in ((*parts[:2],), (*parts[2:4],), (parts[4], "1")) if top)
    return Fraction(f"{sign}{top}") / Fraction(bottom) if int(bottom) else form


def _latex(form: Form) -> Tree:
    """As the grader reads it: a number that has a finite decimal as that decimal, which may be a rounded value."""
    if not isinstance(form, Fraction):
        return form
    if not _is_decimal(form):
        return f"\\frac{{{form.numerator}}}{{{form.denominator}}}"
    behind = next(digits for digits in range(DIGITS + 1) if 10**digits % form.denominator == 0)
    digits = f"{abs(form.numerator) * 10**behind // form.denominator:0{behind + 1}d}"
    whole, rest = (digits[:-behind], f".{digits[-behind:]}") if behind else (digits, "")
    return f"{'-' * (form < 0)}{whole}{rest}"
