r"""Where a solution states its answer: in its last box, or else after its last "Final Answer:".

    find_answer(r"so $x = \boxed{\frac{1}{2}}$.")       # Stated(text="\\frac{1}{2}", boxed=True)
    find_answer("The final answer is $5$. I hope so.")  # Stated(text="5", boxed=False)

This is the one policy for mathematics: what stands in the last box counts, whatever was said before or after it.
"""

import re
from dataclasses import dataclass

BRACE = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
FINAL_ANSWER = re.compile(r"final answer(?:\W{0,4}:|\s+is\b)[\s:*]*", re.IGNORECASE)
MATHS = re.compile(r"\$\$?(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]")
SENTENCE_END = re.compile(r"\.\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Stated:
    """An answer as the solution writes it, and whether it stands in a box."""

    text: str
    boxed: bool


def find_answer(solution: str) -> Stated | None:
    """The stated answer, or `None` where there is none."""
    box = last_box(solution)
    if box is not None:
        return Stated(box, boxed=True)
    line = first_line_after(FINAL_ANSWER, solution)
    if line is None:
        return None
    line = SENTENCE_END.split(line, maxsplit=1)[0]
    if maths := MATHS.match(line):
        line = next(group for group in maths.groups() if group is not None)
    text = line.strip().removesuffix(".").strip()
    return Stated(text, boxed=False) if text else None


def last_box(text: str) -> str | None:
    r"""The content of the last `\boxed{}` or `\fbox{}`; one that is empty or never closed is none.

    Reads the text once, however many boxes it opens.
    """
    opened: list[int | None] = []  # for each open brace where its content begins if it is a box's, or `None`
    start, end = -1, -1
    for brace in BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(None)
        elif brace[0] == "}":
            begin = opened.pop() if opened else None
            if begin is not None and begin > start and text[begin : brace.start()].strip():
                start, end = begin, brace.start()
        elif brace[0] not in (r"\{", r"\}") and brace[0].endswith("{"):
            opened.append(brace.end())
    return text[start:end].strip() if end >= 0 else None


def first_line_after(phrase: re.Pattern[str], text: str) -> str | None:
    """What the first line after the last occurrence of a phrase says, without asterisks around it."""
    *before, after = phrase.split(text)
    lines = after.splitlines() if before else []
    return lines[0].strip(" *") or None if lines else None
