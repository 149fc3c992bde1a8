r"""References that a right answer cannot pass, as far as that shows in the reference.

    doubt("math500", "Find all $t$.", "t(0,4]")   # "a name stands before an interval: ..."
    doubt("aime24", "How many?", "1000")          # "an answer of AIME is a whole number from 0 to 999"
    doubt("math500", "Find all $t$.", "(0,4]")    # None
    doubt_choice(["5 m", "6 m", "5 m"], "A")      # "option C says the same: ..."

Such a reference passes its own grader, since it equals itself. What is doubted is to be looked at; what is known to be
wrong is mended by `fixes`.
"""

import re
from collections.abc import Sequence

SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\.?")
BRACKET = re.compile(r"\\\\|\\[{}]|[()\[\]{}]|\\[lr](?:angle|floor|ceil|brace|vert)(?![A-Za-z])")
PAIRS = {"(": ")]", "[": ")]", "{": "}", r"\{": r"\}", r"\langle": r"\rangle"}
PAIRS |= {rf"\l{name}": rf"\r{name}" for name in ("floor", "ceil", "brace", "vert")}
DOLLAR = re.compile(r"(?<!\\)\$")
PRICE = re.compile(r"\s*\$\s*[\d,.]+\s*")
NAMED_INTERVAL = re.compile(r"(?:^|[^\\A-Za-z])[A-Za-z]\s*(?:\([^()\[\]]*,[^()\[\]]*\]|\[[^()\[\]]*,[^()\[\]]*\))")
OPEN_END = re.compile(
    r"(?:[-+*/=,;:^_<>&]|\\(?:frac|sqrt|times|cdot|cup|cap|pm|le|ge|in))\s*$|^\s*[*/=,;^_&]|[,;]\s*[,;]"
)
FRACTION = re.compile(r"\\[dtc]?frac\s*\{[^{}]*\}\s*(?:$|[-+*/=,;)\]}])")
NOTHING = re.compile(r"(?:nan|none|null|n/?a|todo|tbd|undefined value|\?+|\.{3}|\\l?dots)", re.IGNORECASE)
ONE_IN_TERMS = re.compile(r"\b(?:in terms of|as a function of)\b", re.IGNORECASE)
LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")
WHOLE_TO_999 = re.compile(r"\s*\$?\s*\d{1,3}(?:\.0*)?\s*\$?\s*")


def doubt(task: str, problem: str, reference: str) -> str | None:
    """Why no right answer to a problem of mathematics may equal a reference, or `None`.

    Args:
        task: its name: some competitions have answers of one form alone.
        problem: what was asked.
        reference: the published answer.
    """
    text = SIZES.sub("", reference)
    plain = DOLLAR.sub("", text).strip()
    if task.startswith("aime") and not WHOLE_TO_999.fullmatch(reference):
        return "an answer of AIME is a whole number from 0 to 999"
    if NOTHING.fullmatch(plain.strip(".")) or not plain:
        return "it says that there is no answer"
    if not _closed(text):
        return "its brackets do not match"
    if len(DOLLAR.findall(text)) % 2 and not PRICE.fullmatch(text):
        return "a dollar sign is missing or too many"
    if NAMED_INTERVAL.search(plain):
        return "a name stands before an interval: a sign between them may be lost"
    if OPEN_END.search(plain) or FRACTION.search(plain):
        return "something is missing at its end, at its beginning or between two marks"
    members = _members(plain)
    with_letters = [bool(LETTER.search(member)) for member in members]
    if len(members) > 1 and ONE_IN_TERMS.search(problem) and any(with_letters) and not all(with_letters):
        return "a number and an expression where one expression is asked for: a comma may stand for a product"
    return None


def doubt_choice(options: Sequence[str], letter: str) -> str | None:
    """Why the letter of the right option may not be one, or not the only one, or `None`."""
    lettered = {chr(ord("A") + place): option for place, option in enumerate(options)}
    if not lettered[letter]:
        return "the right option is empty"
    same = [other for other, option in lettered.items() if option == lettered[letter] and other != letter]
    return f"option {' and '.join(same)} says the same: its letter is right too" if same else None


def _closed(text: str) -> bool:
    opened = []
    for bracket in BRACKET.findall(text):
        if bracket in PAIRS:
            opened.append(bracket)
        elif bracket != r"\\" and (not opened or bracket not in PAIRS[opened.pop()]):
            return False
    return not opened


def _members(text: str) -> list[str]:
    """The parts between commas outside all brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
