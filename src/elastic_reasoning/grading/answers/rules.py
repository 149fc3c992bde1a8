"""The rules by which an answer of mathematics may equal a reference, from the strictest to the most lenient.

    DEFAULT, ALL               # the names of those that the grader goes by, and of all
    most_lenient("same value", "unit left out")   # "unit left out"

Each is switched on by its name. A verdict names the most lenient rule that it needed, so that a user can count what
was accepted only by an assumption, and what would be accepted if one more were made.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One way for two answers to be equal.

    Attributes:
        name: what a verdict calls it.
        says: what it takes for equal.
        assumes: it rests on something that the answer does not say.
        default: the grader goes by it unless told otherwise.
    """

    name: str
    says: str
    assumes: bool = False
    default: bool = True


RULES = (
    Rule("identical", "the same after its writing was brought to one form"),
    Rule("same value", "the same number, or the same expression for all values of its symbols"),
    Rule("same members", "lists, sets, tuples, ratios: member by member"),
    Rule("same set", "an interval, a union of them, an inequality, listed members"),
    Rule("same words", "words, whatever their case"),
    Rule("same time", "2:30 p.m. and 14:30"),
    Rule("unit converted", "5 kJ and 5000 J"),
    Rule("imaginary unit", "the letter i is the imaginary unit", assumes=True),
    Rule("other constants", "C exp(x) and c exp(x), f(z) = z and f(x) = x", assumes=True),
    Rule("positive symbols", "sqrt(gl) and sqrt(g) sqrt(l): equal where all symbols are positive", assumes=True),
    Rule("name left out", "x = 5 and 5", assumes=True),
    Rule("qualifier left out", "3k and 3k for all integers k", assumes=True),
    Rule("label left out", "Ann: 7 and 7, 7 students and 7, (B) 12 and B", assumes=True),
    Rule("rounded", "what has no finite decimal, to six significant digits", assumes=True),
    Rule("percent", "50 % and 50, or 0.5", assumes=True),
    Rule("unit left out", "5 cm and 5", assumes=True),
    Rule("rounded reference", "1538 and 1538.46, the same to the last digit of 1538", assumes=True, default=False),
    Rule("case ignored", "c and C", assumes=True, default=False),
    Rule("other name", "x = 5 and y = 5", assumes=True, default=False),
    Rule("left side left out", "m + n = 5 and 5", assumes=True, default=False),
    Rule("repeats ignored", "1, 1, 2 and 1, 2", assumes=True, default=False),
    Rule("order ignored", "(1, 2) and (2, 1)", assumes=True, default=False),
    Rule("brackets ignored", "{1, 2} and (1, 2)", assumes=True, default=False),
    Rule("unit ignored", "5 kJ and 5 J", assumes=True, default=False),
)
ORDER = {rule.name: place for place, rule in enumerate(RULES)}
ALL = frozenset(ORDER)
DEFAULT = frozenset(rule.name for rule in RULES if rule.default)


def strictest(*names: str) -> str:
    """The rule that stands first in the table."""
    return min(names, key=ORDER.__getitem__)


def most_lenient(*names: str) -> str:
    """The rule that stands last in the table."""
    return max(names, key=ORDER.__getitem__)
