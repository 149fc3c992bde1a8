r"""Sets of numbers, however they are written: intervals, unions, inequalities, listed members.

region(r"x>3\lor x<-1") == region(r"(-\infty,-1)\cup(3,\infty)")   # True
region(("set", ["1", "2"]))                                        # {1, 2}
"""

import re
from contextlib import suppress
from typing import Any

from sympy import Complement, EmptySet, Expr, FiniteSet, Intersection, Interval, Reals, S, Set, Union, oo

from elastic_reasoning.grading.answers.latex import INEQUALITY, enclosed, split
from elastic_reasoning.grading.answers.values import parsed

SAYS = re.compile(r"\\(?:cup|cap|setminus|backslash|ne|[lg]e|lor|land|infty|in|mathbb|emptyset)(?![a-z])|[<>]")
JOINED = re.compile(r"\\(cup|cap|setminus|backslash|lor|land)(?![a-z])")
SIGNS = re.compile(r"(<|>|\\le(?![a-z])|\\ge(?![a-z])|\\ne(?![a-z])|(?<![<>])=)")
INTERVAL = re.compile(r"([(\[])(.*)([)\]])")
NUMBERS = {r"\mathbb{R}": Reals, r"\mathbb{Z}": S.Integers, r"\mathbb{N}": S.Naturals, r"\emptyset": EmptySet}
ABSOLUTE = re.compile(r"\|([A-Za-z])\|")
BUILDER = re.compile(r"(?:([A-Za-z])(?:\\in\s*\\mathbb\{R\})?)\s*(?:\||\\mid|:)\s*(.*)")


def same_region(reference: Any, answer: Any) -> bool:
    """Whether both are sets of numbers, at least one written as such, and the same."""
    if not any(isinstance(tree, str) and SAYS.search(tree) for tree in (reference, answer)):
        return False
    one, two = variable(reference), variable(answer)
    if one and two and one != two:
        return False
    with suppress(Exception):  # whatever sympy raises on what it cannot compare
        a, b = region(reference), region(answer)
        if a is None or b is None:
            return False
        return bool(a == b or (Complement(a, b) == EmptySet and Complement(b, a) == EmptySet))
    return False


def variable(tree: Any) -> str | None:
    """The letter that an inequality, not a set built with a letter of its own, is about."""
    if not isinstance(tree, str) or tree.startswith(r"\{"):
        return None
    letters = {side for part in JOINED.split(tree)[::2] for side in SIGNS.split(part)[::2] if is_letter(side.strip())}
    return letters.pop() if len(letters) == 1 and INEQUALITY.search(tree) else None


def is_letter(text: str) -> bool:
    """Whether it is a variable: a letter, with an index perhaps."""
    return bool(re.fullmatch(r"(?:[A-Za-z]|\\(?!infty|pi)[a-z]+)(?:_\{[^{}]*\})?", text))


def region(tree: Any) -> Set | None:
    """The set of numbers that an answer stands for, or `None`."""
    if isinstance(tree, str):
        return _written(tree)
    if tree[0] == "words" and tree[1] == "no solution":
        return EmptySet
    if tree[0] in ("set", "list") and all(isinstance(member, str) and INEQUALITY.search(member) for member in tree[1]):
        return _joined([region(member) for member in tree[1]], Union)
    if tree[0] in ("set", "list"):
        members = [number(member) for member in tree[1]]
        return None if None in members else FiniteSet(*members)
    if tree[0] == "tuple" and len(tree[1]) == 2:
        return _interval(number(tree[1][0]), number(tree[1][1]), (True, True))
    return None


def _written(text: str) -> Set | None:
    text = text.strip()
    if text in NUMBERS:
        return NUMBERS[text]
    first, *joined = _joints(text)
    if joined:
        found = region(first)
        for sign, part in zip(joined[::2], joined[1::2], strict=True):
            other = region(part)
            if found is None or other is None:
                return None
            found = {"cup": Union, "lor": Union, "cap": Intersection, "land": Intersection}.get(sign, Complement)(
                found, other
            )
        return found
    inside = enclosed(text, r"\{", r"\}")
    if inside is not None:
        if built := BUILDER.fullmatch(inside):
            return _written(built[2])
        return region(("set", split(inside, enclosed=True)))
    if (match := INTERVAL.fullmatch(text)) and len(ends := split(match[2], enclosed=True)) == 2:
        return _interval(number(ends[0]), number(ends[1]), (match[1] == "(", match[3] == ")"))
    if membership := re.fullmatch(r"[A-Za-z]\\(not)?in(?![a-z])\s*(.*)", text):
        inner = region(membership[2])
        return Complement(Reals, inner) if membership[1] and inner is not None else inner
    return _inequality(text)


def _joints(text: str) -> list[str]:
    """Parts and signs in turn, outside all brackets."""
    parts, depth, begin = [], 0, 0
    for match in re.finditer(r"[()\[\]{}]|" + JOINED.pattern, text):
        if match[0] in "([{":
            depth += 1
        elif match[0] in ")]}":
            depth -= 1
        elif depth == 0:
            parts += [text[begin : match.start()], match[1]]
            begin = match.end()
    return [*parts, text[begin:]]


def _inequality(text: str) -> Set | None:
    """The numbers for which a chain of inequalities about one letter holds."""
    parts = [part.strip() for part in SIGNS.split(text)]
    if len(parts) == 3 and ABSOLUTE.fullmatch(parts[0]) and (bound := number(parts[2])) is not None:
        inside, within = Interval.open(-bound, bound), Interval(-bound, bound)
        outside, beyond = Complement(Reals, inside), Complement(Reals, within)
        return {"<": inside, r"\le": within, ">": beyond, r"\ge": outside}.get(parts[1])
    places = [place for place in range(0, len(parts), 2) if is_letter(parts[place])]
    if len(parts) not in (3, 5) or len(places) != 1:
        return None
    found: Set = Reals
    for place in range(0, len(parts) - 2, 2):
        left, sign, right = parts[place : place + 3]
        if is_letter(right):
            left, right = right, left
            sign = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}.get(sign, sign)
        end = number(right)
        if end is None or not is_letter(left):
            return None
        found = Intersection(found, _half(sign, end))
    return found


def _half(sign: str, end: Expr) -> Set:
    match sign:
        case "<":
            return Interval.open(-oo, end)
        case ">":
            return Interval.open(end, oo)
        case r"\le":
            return Interval(-oo, end)
        case r"\ge":
            return Interval(end, oo)
        case r"\ne":
            return Complement(Reals, FiniteSet(end))
    return FiniteSet(end)


def _interval(low: Expr | None, high: Expr | None, is_open: tuple[bool, bool]) -> Set | None:
    return None if low is None or high is None else Interval(low, high, *is_open)


def _joined(parts: list[Set | None], join: Any) -> Set | None:
    return None if None in parts else join(*parts)


def number(text: Any) -> Expr | None:
    """The number that LaTeX stands for, or `None`."""
    value = parsed(text, True) if isinstance(text, str) else None
    return value if isinstance(value, Expr) and value.is_number and value.is_extended_real else None
