r"""Whether an answer equals a reference: a process of its own, because math-verify needs signals and may never end.

    python -P equality.py FD    # answers requests from a `multiprocessing` connection until it is closed

It imports nothing heavy but sympy, so that it starts as fast as that. It is not part of the terminal's process
group, ends when its parent is gone, and holds itself to a share of memory and, for each request, of processor time:
the clock would count what other programs do.
"""

import math
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any

from latex2sympy2_extended.latex2sympy2 import ConversionConfig, NormalizationConfig, latex2sympy, normalize_latex
from math_verify import verify
from math_verify.parser import get_last_eq, should_treat_as_complex
from sympy import Basic, Expr, Float, N, Rational, cosh, exp, sinh, tanh

from elastic_reasoning.grading.rounding import RULE as ROUNDED_REFERENCE
from elastic_reasoning.grading.rounding import rounded_like
from elastic_reasoning.grading.rules import most_lenient

MEMORY_BYTES = 1 << 30
PARENT_CHECK_SECONDS = 0.5
# Units are taken off before, because math-verify would read 2t as 2; and R/r is not 1.
WRITING = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none")
READING = ConversionConfig(lowercase_symbols=False)
# A matrix of one cell is a reference that has lost its separators, as some in circulation have.
ONE_CELL = re.compile(r"\\begin\{[pbv]?matrix\}[^\\&]*\\end\{[pbv]?matrix\}")
ROWS = re.compile(r"\\\\|&")
BASE = re.compile(r"\d_(\{[^{}]*\})")  # which math-verify drops
RANGE = re.compile(r"[<>]|\\(?:[lg]eq?(?:slant)?|[lg]t|mathbb)(?![a-z])")  # what says which numbers without brackets
SPELLED = re.compile(r"[A-Za-z0-9 ]+")
ROUNDED = 1.5e-6  # relative: six significant digits of what has no finite decimal, as 0.333333 for 1/3
EXACT = 1e-20
HYPERBOLIC = (sinh, cosh, tanh)


def equal(reference: Any, answer: Any) -> str | None:
    """The most lenient rule that two normal forms of `latex.read` need to say the same, or `None`."""
    if reference == answer:
        return "identical"
    unit, reference = _unit_of(reference)
    other_unit, answer = _unit_of(answer)
    if unit and other_unit and unit != other_unit:
        return None
    return _also("unit left out" if unit != other_unit else "identical", _same(reference, answer))


def _also(rule: str, other: str | None) -> str | None:
    return None if other is None else most_lenient(rule, other)


def _if(equal: bool, rule: str) -> str | None:
    return rule if equal else None


def _unit_of(tree: Any) -> tuple[str | None, Any]:
    return (tree[1], tree[2]) if isinstance(tree, tuple) and tree[0] == "unit" else (None, tree)


def _same(reference: Any, answer: Any) -> str | None:
    kinds = tuple("" if isinstance(tree, str) else tree[0] for tree in (reference, answer))
    match kinds:
        case ("", ""):
            return _same_value(reference, answer)
        case ("percent", "percent"):
            return _same_value(reference[1], answer[1])
        case ("percent", "") | ("", "percent"):
            percent, plain = (reference[1], answer) if kinds[0] else (answer[1], reference)
            ways = (_same_value(plain, text) for text in (percent, f"\\frac{{{percent}}}{{100}}"))
            return _also("percent", next(filter(None, ways), None))
        case ("set" | "list", "set" | "list"):
            return _matched(reference[1], answer[1])
        case ("tuple" | "list", "tuple") | ("tuple", "list"):  # the order of a tuple may matter: x and y of a system
            return _in_order(reference[1], answer[1])
        case ("tuple", "") if RANGE.search(answer):
            return _same_value(_interval(reference), answer)
        case ("", "tuple") if RANGE.search(reference):
            return _same_value(reference, _interval(answer))
        case ("ratio", "ratio"):
            return _if(_same_ratio(reference[1], answer[1]), "same members")
        case ("words", "") | ("", "words"):
            words, plain = (reference[1], answer) if kinds[0] else (answer[1], reference)
            return _if(bool(SPELLED.fullmatch(plain)) and words == plain.casefold(), "same words")
    return None


def _in_order(references: list[Any], answers: list[Any]) -> str | None:
    if len(references) != len(answers):
        return None
    rule: str | None = "same members"
    for pair in zip(references, answers, strict=True):
        rule = rule and _also(rule, equal(*pair))
    return rule


def _matched(references: list[Any], answers: list[Any]) -> str | None:
    """Whether each member of one list equals a member of the other that no other member has taken."""
    if len(references) != len(answers):
        return None
    left, needed = list(answers), "same members"
    for reference in references:
        alike = [reference] if reference in left else left  # the cheap comparison first: a list may be long
        found = next(((answer, rule) for answer in alike if (rule := equal(reference, answer))), None)
        if found is None:
            return None
        left.remove(found[0])
        needed = most_lenient(needed, found[1])
    return needed


def _interval(pair: Any) -> str:
    """A pair as it was written: an open interval has the same brackets."""
    return f"({','.join(map(str, pair[1]))})"


def _same_ratio(reference: list[Any], answer: list[Any]) -> bool:
    """Whether two ratios have the same members up to one common factor: each the same share of the sum."""
    if len(reference) != len(answer) or not all(isinstance(member, str) for member in (*reference, *answer)):
        return False
    sums = "+".join(f"({member})" for member in reference), "+".join(f"({member})" for member in answer)
    shares = (
        (rf"\frac{{{member}}}{{{sums[0]}}}", rf"\frac{{{other}}}{{{sums[1]}}}")
        for member, other in zip(reference, answer, strict=True)
    )
    return all(_same_value(*pair) for pair in shares)


def _same_value(reference: str, answer: str) -> str | None:
    """Whether two pieces of LaTeX have the same value: numbers exactly, everything else as math-verify says."""
    reference, answer = (normalize_latex(text, WRITING) for text in (reference, answer))
    if ONE_CELL.fullmatch(reference):
        answer = ROWS.sub("", answer)
    if reference == answer:
        return "identical"
    if BASE.findall(reference) != BASE.findall(answer):
        return None
    is_real = not (should_treat_as_complex(reference) or should_treat_as_complex(answer))
    gold, found = (_parsed(text, is_real) for text in (reference, answer))
    if gold is None or found is None:
        return None
    if _is_number(gold) and _is_number(found):
        return _same_number(gold, found)
    # Its own limit is one by the clock, under which a busy machine decides.
    options = {"allow_set_relation_comp": True, "timeout_seconds": None, "raise_on_error": True}
    is_range = any(RANGE.search(text) for text in (reference, answer))
    return _if(verify(_exact(gold), _exact(found), **options), "same set" if is_range else "same value")


@lru_cache(maxsize=256)
def _parsed(latex: str, is_real: bool) -> Any:
    """The sympy object that LaTeX stands for (of a chain of equations the last, if need be), or `None`.

    Variables are real or complex as the caller says, since sympy tells one from the other even by the same name.
    """
    for text in dict.fromkeys((latex, get_last_eq(latex))):
        with suppress(Exception):
            return latex2sympy(text, is_real=is_real, normalization_config=None, conversion_config=READING)
    return None


def _real(latex: str) -> Fraction | None:
    """The real number that LaTeX stands for, to thirty digits."""
    value = _parsed(normalize_latex(latex, WRITING), True)
    if value is None or not _is_number(value):
        return None
    number = N(_as_fractions(value), 30)
    return Fraction(str(number)) if number.is_Float or number.is_Integer else None


def _exact(value: Any) -> Any:
    """The same with decimals as fractions and hyperbolic functions as exponentials, where there are symbols too."""
    if not isinstance(value, Basic) or not value.free_symbols:
        return value
    return _as_fractions(value).rewrite(HYPERBOLIC, exp)


def _as_fractions(value: Any) -> Any:
    return value.xreplace({number: Rational(str(number)) for number in value.atoms(Float)})


def _is_number(value: Any) -> bool:
    return isinstance(value, Expr) and bool(value.is_number) and value.is_finite is not False


def _same_number(reference: Any, answer: Any) -> str | None:
    """Equal exactly, or one of them the decimal approximation of what has no finite decimal.

    math-verify compares differences with an absolute bound, under which all small numbers are equal.
    """
    rounded = bool(reference.has(Float)) != bool(answer.has(Float))
    reference, answer = _as_fractions(reference), _as_fractions(answer)
    a, b = N(reference, 30), N(answer, 30)
    apart = abs(a - b) / max(abs(a), abs(b), N("1e-300"))
    if not apart <= ROUNDED:
        return None
    reference, answer = reference.doit(), answer.doit()
    if reference.is_Rational and answer.is_Rational:
        if reference == answer:
            return "same value"
        return _if(rounded and not (_finite_decimal(reference) and _finite_decimal(answer)), "rounded")
    return "same value" if apart <= EXACT else _if(rounded, "rounded")


def _finite_decimal(value: Any) -> bool:
    denominator = int(value.q)
    for factor in (2, 5):
        while denominator % factor == 0:
            denominator //= factor
    return denominator == 1


class OutOfTime(BaseException):
    """The processor time of a request is used up; not an `Exception`, which sympy would catch."""


def serve(connection: Connection) -> None:
    """Answer request after request, (references, answer, rules, seconds), with a rule, "unequal" or "time limit".

    Out of memory, the process ends: another one may have enough.
    """
    connection.send("ready")
    with suppress(EOFError, MemoryError):
        while True:
            references, answer, rules, seconds = connection.recv()
            connection.send(_verdict(references, answer, rules, seconds))


def _verdict(references: list[Any], answer: Any, rules: frozenset[str], seconds: float) -> str:
    try:
        with processor_time(seconds):
            needed = (_rule(reference, answer) for reference in references)
            rule = next((rule for rule in needed if rule in rules), "unequal")
            if rule == "unequal" and ROUNDED_REFERENCE in rules:
                rounded = (_rule(reference, rounded_like(reference, answer, _real)) for reference in references)
                return ROUNDED_REFERENCE if any(rule in rules for rule in rounded) else rule
            return rule
    except OutOfTime:
        return "time limit"


def _rule(reference: Any, answer: Any) -> str:
    try:
        return equal(reference, answer) or ""
    except MemoryError:
        raise
    except Exception:  # whatever sympy raises on what it cannot compare
        return ""


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block once it has used so much processor time, however long that takes by the clock.

    What never comes back to the interpreter, such as a power of huge integers, ends the process a little later, with
    SIGXCPU and with no parent needed.
    """

    def out_of_time(*_: object) -> None:
        raise OutOfTime

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit_to(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds) + 1)
    signal.signal(signal.SIGPROF, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)  # again, in case something caught the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit_to(kind: int, value: int) -> None:
    """Lower the soft limit, as far as the system knows it and lets it be changed."""
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def end_with_parent() -> None:
    """Watch whether the parent still lives: while this process computes it does not see its connection close."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    limit_to(resource.RLIMIT_AS, MEMORY_BYTES)
    threading.Thread(target=end_with_parent, daemon=True).start()
    serve(Connection(int(sys.argv[1])))
