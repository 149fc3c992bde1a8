"""Names that may be exchanged: those of arbitrary constants and of integers, never those that a problem gives.

    next(renamings(C * exp(-x), c * exp(-x)))   # {"c": "C"}

Which names are arbitrary is read from the form: a constant of integration is a term of its own or the factor of a
function, an integer is a multiple of pi or is said to be an integer.
"""

import re
from collections.abc import Iterator
from itertools import permutations
from typing import Any

from sympy import Add, Function, Mul, Pow, Symbol, exp, pi

CONSTANT = re.compile(r"[CcK](?:_\d)?")
CALLED = re.compile(r"[A-DKc](?:_\d)?")  # what an answer may call them
INTEGER = re.compile(r"[nkmjl]")
MOST = 4


def renamings(reference: Any, answer: Any, arbitrary: frozenset[str]) -> Iterator[dict[str, str]]:
    """Ways to call constants of the answer as the reference calls them: each a mapping of names."""
    theirs, ours = _names(reference), _names(answer)
    if len(theirs) != len(ours):
        return
    whole_numbers = bool(arbitrary & (ours | theirs))
    for patterns, shown, whole in (
        ((CALLED, CONSTANT), _is_constant, False),
        ((INTEGER, INTEGER), _is_integer, whole_numbers),
    ):
        olds, news = (
            [
                name
                for name in sorted(names)
                if name in arbitrary or (pattern.fullmatch(name) and (shown(value, Symbol(name)) or whole))
            ]
            for pattern, names, value in zip(patterns, (ours, theirs), (answer, reference), strict=True)
        )
        if len(olds) != len(news) or not olds or len(olds) > MOST or ours - set(olds) != theirs - set(news):
            continue
        for order in permutations(news):
            names = dict(zip(olds, order, strict=True))
            if any(old != new for old, new in names.items()):
                yield names


def _names(value: Any) -> set[str]:
    return {symbol.name for symbol in value.free_symbols}


def _is_constant(value: Any, symbol: Symbol) -> bool:
    """Whether it is a term beside others, or the factor of a function or of a power of another symbol."""
    for part in value.atoms(Add):
        if any(term == symbol or (term.is_Mul and term.as_coeff_Mul()[1] == symbol) for term in part.args):
            return bool(part.free_symbols - {symbol})
    for part in value.atoms(Mul):
        others = [factor for factor in part.args if factor != symbol]
        alone = len(others) < len(part.args) and not any(symbol in factor.free_symbols for factor in others)
        if alone and any(_is_function(factor) for factor in others):
            return True
    return False


def _is_function(factor: Any) -> bool:
    """Of a symbol: exp(x), sin(2t), x**-2, but not x."""
    if not factor.free_symbols:
        return False
    return isinstance(factor, (exp, Function)) or (isinstance(factor, Pow) and factor.exp != 1)


def _is_integer(value: Any, symbol: Symbol) -> bool:
    """Whether the value is linear in it with a rational multiple of pi as its slope."""
    slope = value.diff(symbol)
    return bool(slope.is_number and slope != 0 and (slope / pi).is_rational)
