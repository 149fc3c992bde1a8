"""Two expressions or equations compared by their values at points.

    one, two = Function.of(sqrt(g * l)), Function.of(sqrt(g) * sqrt(l))
    same_everywhere(one, two, frozenset())   # ("positive symbols", True)

Values at a few points of 30 digits tell functions apart that differ, and take for equal no two that answers hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from sympy import Abs, Derivative, Equality, Expr, Float, I, Rational, Symbol, fraction, together
from sympy.core.function import AppliedUndef

DIGITS = 30
CLOSE = Float("1e-18")
NOTHING = Float("1e-24")
NUM_POINTS = 3
ENOUGH = 5
NUM_TRIES = 12
# Positive numbers of no pattern, one for each symbol and point.
VALUES = (
    "0.8137524196",
    "1.4421587013",
    "2.2360912847",
    "0.5719340862",
    "3.0718645392",
    "1.1873920574",
    "0.3398215067",
)


@dataclass(frozen=True, slots=True)
class Function:
    """An expression, or an equation as the difference of its sides, that can be evaluated."""

    value: Any
    is_equation: bool

    @classmethod
    def of(cls, value: Any) -> "Function | None":
        """`None` for what has no values, such as sets and matrices."""
        if isinstance(value, Equality):
            return cls(fraction(together(_plain(value.lhs - value.rhs)))[0], True)
        return cls(_plain(value), False) if isinstance(value, Expr) else None

    @property
    def names(self) -> frozenset[str]:
        """Of its free symbols."""
        return frozenset(symbol.name for symbol in self.value.free_symbols)

    def renamed(self, names: dict[str, str]) -> "Function":
        """With symbols under other names, all at once."""
        return Function(self.value.xreplace({Symbol(old): Symbol(new) for old, new in names.items()}), self.is_equation)

    def with_unit(self) -> "Function":
        """With the letter i as the imaginary unit."""
        return Function(self.value.xreplace({Symbol("i"): I}), self.is_equation)

    def at(self, point: dict[str, Float]) -> Any:
        """Its value, or `None` where it has none."""
        value = self.value.xreplace({Symbol(name): number for name, number in point.items()}).evalf(DIGITS)
        return value if value.is_number and value.is_finite else None


def _plain(value: Any) -> Any:
    """With exact numbers, and symbols that are told apart by name alone; an unknown function is a symbol too."""
    unknown = {part: Symbol(_name(part)) for part in value.atoms(Derivative, AppliedUndef)}
    value = value.xreplace({**unknown, **{number: Rational(str(number)) for number in value.atoms(Float)}})
    return value.xreplace({symbol: Symbol(symbol.name) for symbol in value.free_symbols})


def _name(part: Any) -> str:
    """Of an unknown function, or of a derivative, which may be written with a dot."""
    if not isinstance(part, Derivative) or part.derivative_count != 1:
        return str(part)
    return f"dot{{{part.expr.func if isinstance(part.expr, AppliedUndef) else part.expr}}}"


def same_everywhere(one: Function, two: Function, bound: frozenset[str]) -> tuple[str | None, bool]:
    """The rule by which two functions are equal, or `None`, and whether their values could tell.

    "same value" where they are equal wherever both are real; "positive symbols" where they are so for positive values
    of the symbols, none of which is bound or stands in an absolute value that only one of the two has.
    """
    names = sorted(one.names | two.names)
    here = _agree(one, two, names, positive=True)
    if not here:
        return None, here is not None
    if _agree(one, two, names, positive=False) is not False:
        return "same value", True
    if bound & one.names or one.value.has(Abs) != two.value.has(Abs):
        return None, True
    return "positive symbols", True


def _agree(one: Function, two: Function, names: list[str], positive: bool) -> bool | None:
    """Whether they have the same values at all points where both are real; `None` where there are too few of them.

    Where they are real at no point, all count. Equations agree when their sides differ by the same factor everywhere.
    """
    real: list[Any] = []
    others: list[Any] = []
    for point in points(names, positive):
        a, b = one.at(point), two.at(point)
        if a is not None and b is not None:
            (real if a.is_real and b.is_real else others).append((a, b))
        if real and not one.is_equation and not _close(*real[-1]):
            return False
        if len(real) == ENOUGH:
            break
    pairs = real or (others if positive else [])
    if one.is_equation:
        pairs = [(a / b, pairs[0][0] / pairs[0][1]) for a, b in pairs if abs(a) > CLOSE and abs(b) > CLOSE]
    return None if len(pairs) < NUM_POINTS else all(_close(a, b) for a, b in pairs)


def _close(a: Any, b: Any) -> bool:
    """Equal to 18 digits; what is nothing but rounding errors equals an exact zero."""
    return bool(abs(a - b) <= (CLOSE * max(abs(a), abs(b)) if a != 0 and b != 0 else NOTHING))


def points(names: list[str], positive: bool) -> Iterator[dict[str, Float]]:
    """Values for each symbol; with negative ones too, every combination of signs that is not all positive."""
    signs = list(product((1, -1), repeat=min(len(names), 3)))[1:]
    for attempt in range(NUM_TRIES):
        sign = (1,) * len(names) if positive else signs[attempt % len(signs)]
        yield {name: sign[place % len(sign)] * _draw(place, attempt) for place, name in enumerate(names)}


def _draw(place: int, attempt: int) -> Float:
    """A positive number, another one for each symbol and attempt."""
    value = Float(VALUES[(place + attempt) % len(VALUES)], DIGITS + 10)
    return value * (1 + place // len(VALUES) + Rational(attempt, 7))
