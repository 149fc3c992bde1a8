"""The rules by which an answer of mathematics may equal a reference, from the strictest to the most lenient.

    DEFAULT                    # the names of those that the grader goes by
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
    Rule("same set", "an interval and its inequality"),
    Rule("same words", "words, whatever their case"),
    Rule("rounded", "what has no finite decimal, to six significant digits", assumes=True),
    Rule("percent", r"50\% and 50, or 0.5", assumes=True),
    Rule("unit left out", "5 cm and 5", assumes=True),
    Rule("rounded reference", "1538 and 1538.46, the same to the last digit of 1538", assumes=True, default=False),
)
ORDER = {rule.name: place for place, rule in enumerate(RULES)}
DEFAULT = frozenset(rule.name for rule in RULES if rule.default)


def most_lenient(*names: str) -> str:
    """The rule that stands last in the table."""
    return max(names, key=ORDER.__getitem__)
