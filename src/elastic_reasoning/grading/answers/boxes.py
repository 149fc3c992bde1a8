r"""The last box of a solution, and what stands in it.

    last_box(r"so $x = \boxed{\frac{1}{2}}$.")   # Box(text="\\frac{1}{2}")
    last_box(r"so it is $\boxed\frac12$.")       # Box(text="\\frac12"): without braces, up to the end of the term
    last_box(r"\boxed{5}, or rather \boxed{")    # Box(text=None): never closed, or empty
    last_box("so it is 5.")                      # None: no box at all

The last box counts, whatever was said before or after it: one that was left empty or cut is no answer, and what an
earlier box holds was not the last word.
"""

import re
from dataclasses import dataclass

# A box with its optional arguments and the brace behind it; anything escaped; a brace. A backslash that was escaped
# once more, or lost before a brace, is no less a box.
MARK = re.compile(
    r"(?P<box>(?:\\{1,2}(?:boxed|fbox|framebox|bbox)(?![A-Za-z])|(?<![A-Za-z\\])boxed(?=\{))"
    r"(?P<brace>(?:\s*\[[^\[\]{}]{0,99}\]){0,2}\s*\{)?)|\\.|[{}]",
    re.DOTALL,
)
EMPTY = re.compile(
    r"(?:[\s{}$~]|\\(?:[,;:! ]|\Z)|\\q?quad(?![A-Za-z])|\\(?:text\w{0,2}|math\w{2}|mbox)(?=\s*\{)|"
    r"\\(?:[hv]?phantom|[hv]space\*?)\s*\{[^{}]*\})*"
)
# What a term without braces begins with, and what it is made of: \frac12, 2\sqrt{3}, 3/4, 1,234, x^2, 5\text{ cm}
TERM = re.compile(r"\s*(?:[-+]\s*)?(?:[\d(\[{]|\.\d|\\[A-Za-z{]|[A-Za-z](?![A-Za-z])|\Z)")
PIECE = re.compile(
    r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}|\\\{.*?\\\}|\\[,;:!](?=\s*\\text)|\s*[-+*/=<>^_!'|]\s*|\\?%|\s*\\[A-Za-z]+\s*|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+|[A-Za-z](?![A-Za-z])",
    re.DOTALL,
)
JOINING = re.compile(r"\s*[-+*/=<>^_|]")
TWO_ARGUMENTS = re.compile(r"\\(?:[dtc]?frac|[dt]?binom)")
TWO_DIGITS = re.compile(r"\d \d")
OPENING, CLOSING = "([{", ")]}"
LONGEST_TERM = 500


@dataclass(frozen=True, slots=True)
class Box:
    """What a box holds; `None` where it is empty or never closed."""

    text: str | None


def last_box(text: str) -> Box | None:
    r"""The box that opens last, `\boxed`, `\fbox`, `\framebox` or `\bbox`; `None` where there is none.

    Reads the text once, however many boxes it opens.
    """
    opened: list[int | None] = []  # for each open brace where its content begins if it is a box's, or `None`
    last: tuple[int, int | None] | None = None  # where the content of the last box begins, and where it ends
    braced = True
    for mark in MARK.finditer(text):
        if mark[0] == "{":
            opened.append(None)
        elif mark[0] == "}":
            begin = opened.pop() if opened else None
            if last is not None and begin == last[0]:
                last = begin, mark.start()
        elif mark["brace"]:
            last, braced = (mark.end(), None), True
            opened.append(mark.end())
        elif mark["box"] and TERM.match(text, mark.end()):  # a box that is only spoken of has nothing behind it
            last, braced = (mark.end(), None), False
    if last is None:
        return None
    begin, end = last
    if not braced:
        end = _end_of_term(text, begin)
    found = None if end is None else text[begin:end].strip()
    return Box(None if found is None or EMPTY.fullmatch(found) else found)


def _end_of_term(text: str, begin: int) -> int:
    """Where the term behind a box without braces ends: what is written together, or joined by a sign or a command."""
    last = min(len(text), begin + LONGEST_TERM)
    at = end = next((index for index in range(begin, last) if not text[index].isspace()), last)
    while at < last:
        if text[at] in OPENING:
            behind = _behind_bracket(text, at, last)
            if behind == at:
                break
            at = end = behind
        elif piece := PIECE.match(text, at, last):
            at = piece.end()
            if TWO_ARGUMENTS.fullmatch(piece[0].strip()) and TWO_DIGITS.match(text, at):
                at += len("1 2")
            if not JOINING.match(piece[0]):
                end = at
        else:
            break
    return end


def _behind_bracket(text: str, at: int, last: int) -> int:
    """Where the bracket that opens at a place has closed; the place itself where it never does."""
    depth = 0
    for index in range(at, last):
        depth += (text[index] in OPENING) - (text[index] in CLOSING)
        if depth == 0:
            return index + 1
    return at
