r"""Whether two pieces of LaTeX have the same value, by sympy and math-verify, and by which rule.

    same_value(r"\sqrt{gl}", r"\sqrt{g}\sqrt{l}", Terms(DEFAULT))   # "positive symbols"

Numbers are compared exactly, expressions as math-verify does. What it takes for different is compared once more by
values at points, with the letter i as the imaginary unit, constants renamed and symbols positive, as the rules allow.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

from latex2sympy2_extended.latex2sympy2 import ConversionConfig, NormalizationConfig, latex2sympy, normalize_latex
from math_verify import verify
from math_verify.parser import get_last_eq, should_treat_as_complex
from sympy import Basic, Expr, Float, N, Rational, Symbol, cosh, exp, sinh, tanh

from elastic_reasoning.grading.answers.points import DIGITS, Function, same_everywhere
from elastic_reasoning.grading.answers.renaming import renamings
from elastic_reasoning.grading.answers.rounding import RULE as ROUNDED_REFERENCE
from elastic_reasoning.grading.answers.rounding import rounds_to
from elastic_reasoning.grading.answers.rules import most_lenient

# Units are taken off before, because math-verify would read 2t as 2; and R/r is not 1.
WRITING = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none")
READING = ConversionConfig(lowercase_symbols=False)
# A matrix of one cell is a reference that has lost its separators, as some in circulation have.
ONE_CELL = re.compile(r"\\begin\{[pbv]?matrix\}[^\\&]*\\end\{[pbv]?matrix\}")
ROWS = re.compile(r"\\\\|&")
BASE = re.compile(r"\d_(\{[^{}]*\})")  # which math-verify drops
RANGE = re.compile(r"[<>]|\\(?:[lg]eq?(?:slant)?|[lg]t|mathbb)(?![a-z])")  # what says which numbers without brackets
RELATION = re.compile(r"[=<>]|\\(?:[lg]e|ne|approx)(?![a-z])")
INNER = re.compile(r"\{[^{}]*\}|\([^()]*\)")
ROUNDED = 1.5e-6  # relative: six significant digits of what has no finite decimal, as 0.333333 for 1/3
EXACT = 1e-20
HYPERBOLIC = (sinh, cosh, tanh)


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms two answers are compared.

    Attributes:
        rules: the names of the rules that may be used.
        renamed: what the answer's bound variables are called in the reference.
        bound: variables that stand for any number, as x in f(x) = ...: they are not positive.
        arbitrary: names that are said to stand for any integer or constant.
    """

    rules: Collection[str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    bound: frozenset[str] = frozenset()
    arbitrary: frozenset[str] = frozenset()


def same_value(reference: str, answer: str, terms: Terms) -> str | None:
    """The most lenient rule that two pieces of LaTeX need to have the same value, or `None`."""
    reference, answer = (normalize_latex(text, WRITING) for text in (reference, answer))
    if ONE_CELL.fullmatch(reference):
        answer = ROWS.sub("", answer)
    if reference == answer and not terms.renamed:
        return "identical"
    if BASE.findall(reference) != BASE.findall(answer):
        return None
    is_range = bool(RANGE.search(reference + answer)) or r"\ne" in reference + answer
    if relates(reference) != relates(answer) and not is_range:
        return None  # x^2 - 4 = 0 is not 0
    is_real = not (should_treat_as_complex(reference) or should_treat_as_complex(answer))
    gold, found = (parsed(text, is_real) for text in (reference, answer))
    if gold is None or found is None:
        return None
    if terms.renamed and isinstance(found, Basic):
        names = {symbol.name: symbol for symbol in (*gold.free_symbols, *found.free_symbols)}
        # what the answer itself calls so is another variable: f(y) = 2x is not f(x) = 2x
        taken = {new: f"{new}*" for new in terms.renamed.values() if new not in terms.renamed}
        renamed = {**taken, **terms.renamed}
        found = found.xreplace(
            {names[old]: names.get(new, Symbol(new)) for old, new in renamed.items() if old in names}
        )
    if _is_number(gold) and _is_number(found):
        rule = _same_number(gold, found)
        return _rounded(reference, found) if rule is None and ROUNDED_REFERENCE in terms.rules else rule
    rule, decided = _at_points(gold, found, terms)
    if decided:
        return rule
    # Its own limit is one by the clock, under which a busy machine decides.
    options = {"allow_set_relation_comp": True, "timeout_seconds": None, "raise_on_error": True}
    return ("same set" if is_range else "same value") if verify(_exact(gold), _exact(found), **options) else None


@lru_cache(maxsize=256)
def parsed(latex: str, is_real: bool) -> Any:
    """The sympy object that LaTeX stands for (of a chain of equations the last, if need be), or `None`.

    Variables are real or complex as the caller says, since sympy tells one from the other even by the same name.
    """
    for text in dict.fromkeys((latex, get_last_eq(latex))):
        with suppress(Exception):
            return latex2sympy(text, is_real=is_real, normalization_config=None, conversion_config=READING)
    return None


def relates(text: str) -> bool:
    r"""Whether it is an equation or the like, rather than a value that holds one, as \sum_{k=1} does."""
    while (shorter := INNER.sub("", text)) != text:
        text = shorter
    return RELATION.search(text) is not None


def _at_points(gold: Any, found: Any, terms: Terms) -> tuple[str | None, bool]:
    """The rule by which two expressions or equations are equal, and whether their values could tell."""
    one, two = Function.of(gold), Function.of(found)
    if one is None or two is None or one.is_equation != two.is_equation:
        return None, False
    decided = True
    for names, rule in _readings(one, two, terms):
        here, there, also = one, two.renamed(names), "same value"
        if "i" in one.names | two.names and "imaginary unit" in terms.rules:
            here, there, also = here.with_unit(), there.with_unit(), "imaginary unit"
        if here.names or there.names:
            same, told = same_everywhere(here, there, terms.bound)
        else:
            told = _is_number(here.value) and _is_number(there.value)
            same = _same_number(here.value, there.value) if told else None
        if same is not None and same in terms.rules:
            return most_lenient(same, rule, also), True
        decided = decided and told
    return None, decided


def _readings(one: Function, two: Function, terms: Terms) -> Iterator[tuple[dict[str, str], str]]:
    """The answer as it stands, then with its constants under other names."""
    yield {}, "same value"
    if "other constants" in terms.rules and not one.is_equation:
        for names in renamings(one.value, two.value, terms.arbitrary):
            yield names, "other constants"


def _exact(value: Any) -> Any:
    """The same with decimals as fractions and hyperbolic functions as exponentials, where there are symbols too."""
    if not isinstance(value, Basic) or not value.free_symbols:
        return value
    return as_fractions(value).rewrite(HYPERBOLIC, exp)


def as_fractions(value: Any) -> Any:
    """The same with decimals as the fractions that they are."""
    return value.xreplace({number: Rational(str(number)) for number in value.atoms(Float)})


def _is_number(value: Any) -> bool:
    return isinstance(value, Expr) and bool(value.is_number) and value.is_finite is not False


def _same_number(reference: Any, answer: Any) -> str | None:
    """Equal exactly, or one of them the decimal approximation of what has no finite decimal.

    math-verify compares differences with an absolute bound, under which all small numbers are equal.
    """
    rounded = bool(reference.has(Float)) != bool(answer.has(Float))
    reference, answer = as_fractions(reference), as_fractions(answer)
    a, b = N(reference, 30), N(answer, 30)
    apart = abs(a - b) / max(abs(a), abs(b), N("1e-300"))
    if not apart <= ROUNDED:
        return None
    reference, answer = reference.doit(), answer.doit()
    if reference.is_Rational and answer.is_Rational:
        if reference == answer:
            return "same value"
        return "rounded" if rounded and not (_finite_decimal(reference) and _finite_decimal(answer)) else None
    return "same value" if apart <= EXACT else "rounded" if rounded else None


def _rounded(reference: str, answer: Any) -> str | None:
    """The rule by which a number is right that equals the reference when rounded to its last digit."""
    number = N(as_fractions(answer), DIGITS)
    is_real = number.is_Float or number.is_Integer
    return ROUNDED_REFERENCE if is_real and rounds_to(reference, Fraction(str(number))) else None


def _finite_decimal(value: Any) -> bool:
    denominator = int(value.q)
    for factor in (2, 5):
        while denominator % factor == 0:
            denominator //= factor
    return denominator == 1
