"""Answers of several solutions to one question, and which of them most agree on.

    answer_of("so it is \\\\boxed{12}.")              # "12"
    elected(["12", "7", "12"])                       # "12"

It is a plain reading of texts, and no grader: a strategy does not know what is right. Two answers are equal where they
are written alike, but for blanks. Programs hardly ever are: each has one vote, and a tie decides between them.
"""

import re
from collections.abc import Sequence

from elastic_reasoning.core.brackets import closed_at

BOXED = "\\boxed{"
STATED = re.compile(
    r"\banswer\b[\s*:=]*(?:is\b)?[\s*:=]*(.*?)(?=[.,;]?(?:\s*$|\n)|[.,;]\s)", re.IGNORECASE | re.MULTILINE
)
"""What follows the word "answer", up to the end of a line or of a part of a sentence."""
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")


def answer_of(text: str) -> str:
    """What a solution answers: what it states (`stated_in`), or its last number, or all of it."""
    numbers = NUMBER.findall(text)
    return stated_in(text) or _bare(numbers[-1] if numbers else text)


def stated_in(text: str) -> str:
    """What a solution boxes last, or else states last as its answer; nothing where it does neither."""
    stated = [bare for found in STATED.findall(text) if (bare := _bare(found))]
    return _bare(_boxed(text)) or (stated[-1] if stated else "")


def _bare(text: str) -> str:
    """An answer without blanks, marks around it, and commas in a number."""
    text = "".join(text.split()).strip(".*$")
    return text.replace(",", "") if NUMBER.fullmatch(text) else text


def _boxed(text: str) -> str:
    """What stands in the last box; nothing where there is none, or it is not closed."""
    start = text.rfind(BOXED)
    if start < 0:
        return ""
    start += len(BOXED)
    return text[start : closed_at(text, start) or start].strip()


def elected(answers: Sequence[str], weights: Sequence[int] | None = None) -> str:
    """The answer with the most weight, or the first of those that have it; an empty one has no vote.

    Args:
        answers: of each voter `[n]`.
        weights: of each voter `[n]`, 0 or more; one vote each if not given.
    """
    totals: dict[str, int] = dict.fromkeys(filter(None, answers), 0)
    for answer, weight in zip(answers, weights or (1,) * len(answers), strict=True):
        if answer:
            totals[answer] += weight
    return max(totals, key=lambda answer: totals[answer], default="")
