"""Which outputs a statement of a programming problem accepts beside the published one, read from its words.

    stated_answers("... You can output the answer in any case.")     # Answers(any_case=True)

The words are those of Codeforces, AtCoder and LeetCode.
"""

import re

from elastic_reasoning.grading.programs.outputs import Answers

ANY_CASE = re.compile(r"\bin any (?:letter )?case\b|\bcase[- ]insensitive", re.IGNORECASE)
TOLERANCE = re.compile(
    r"\b(?:absolute|relative)\b[^.]{0,60}\berrors?\b[^.]{0,80}?"
    r"(?:10\s*\^\s*\{?\s*[-−–]\s*(?P<power>\d{1,2})|(?P<number>1e-\d{1,2}|0\.0*1)\b)",
    re.IGNORECASE,
)
SEVERAL = re.compile(
    "|".join(
        (
            r"\b(?:multiple|several|more than one|many)\b[^.\n]*"
            r"\b(?:print|output|return|pick|choose|find|report|give)s? any\b(?! number)",
            r"\b(?:multiple|several|more than one)\b[^.\n]*\bany\b[^.\n]*\b(?:accepted|considered|correct)\b",
            r"\b(?:print|output|return) any\b",
            r"\bany suitable\b",
            r"\b(?:find any (?:valid|such|sequence|array)|construct any)\b",
            r"\b(?:return|print|output|returned array)\b[^.\n]*\bin any order\b",
            r"\boutputs?\b[^.\n]*\b(?:also|would be)\b[^.\n]*\b(?:correct|accepted)\b",
        )
    ),
    re.IGNORECASE,
)


def stated_answers(statement: str, checker: str = "") -> Answers:
    """What a statement accepts.

    Args:
        statement: the problem's words.
        checker: Python that decides, where the task has it, see `Answers`.
    """
    tolerance = TOLERANCE.search(statement)
    return Answers(
        any_case=bool(ANY_CASE.search(statement)),
        tolerance=0.0 if tolerance is None else float(tolerance["number"] or f"1e-{tolerance['power']}"),
        several=bool(SEVERAL.search(statement)),
        checker=checker,
    )
