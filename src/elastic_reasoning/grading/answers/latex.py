r"""An answer as it was written, brought to a form that can be compared.

    read(r"15\mbox{ cm}^2")        # ("unit", "cm^2", "text", "15", ...)
    read(r"\{3 \pm \sqrt{2}, 1\}") # ("set", ["3+\\sqrt{2}", "3-\\sqrt{2}", "1"])
    read(r"x = 5")                 # ("named", "x", "5", "x=5")
    read(r"\text{Evelyn}")         # ("words", "evelyn")

It mends what math-verify misreads (numbers such as 8.7e8, ordinals, bare words) and keeps apart what math-verify drops
(repeated members, units, what stands before an equals sign). A leaf is LaTeX for math-verify; everything else is
(kind, content, ...), and where the text may be read as mathematics too, its leaf stands last.
"""

import re
from typing import Any

from elastic_reasoning.grading.answers.names import NAME, SAYING, labelled, qualified, sides
from elastic_reasoning.grading.answers.units import amounts, split_unit
from elastic_reasoning.grading.answers.words import spoken, time_of_day
from elastic_reasoning.grading.answers.writing import NUMBER, written

Tree = str | tuple[Any, ...]

THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d{1,3}(?: \d{3})+(?:\.\d+)?")
GROUPED = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,]*,?\d)")
REPEATING = re.compile(r"(\d*)\.(\d*) ?\\(?:overline|bar) ?\{(\d+)\}")
RELATION = re.compile(r"^(?:[A-Za-z](?: ?: ?[A-Za-z])+ ?)?(?:=|\\(?:approx|simeq|sim)(?![a-zA-Z]))\s*(?=.)")
TRANSPOSED = re.compile(r"(?<=[)\]])\^\{\\top\}$")
SETTING = re.compile(r"^(?:[A-Za-z]|\([A-Za-z](?:,\s*[A-Za-z])+\))\s*(?:=|\\in(?![a-z]))\s*(?=\([^()]*,|\\\{)")
CONGRUENCE = re.compile(
    r"(?:(?P<left>[^=]*?) ?\\equiv(?![a-z]))?(?P<right>[^=]*?)[ (]*(?:\\[pb]?mod(?![a-z])|\\text\{ ?\(?mod ?\}|\bmod\b)"
    r" ?\{? ?(?P<modulus>[^{}()]+?) ?\}?\)?"
)
INEQUALITY = re.compile(r"[<>]|\\(?:[lg]e|ne)(?![a-z])")
PLUS_MINUS = re.compile(r"\\[pm][mp](?![a-z])")
NEEDLESS_SPACE = re.compile(r"(?<!\w)\s+|\s+(?!\w)")
TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
DEGREES = re.compile(rf"({NUMBER}) ?\^\{{\\circ\}}")
COLUMN = re.compile(r"\\begin\{([pbvV]?matrix|array)\}(?:\{[clr|]*\})?(.*)\\end\{\1\}(?:\^\{\\top\})?", re.DOTALL)
ANGLES = (r"\langle", r"\rangle")
ENDS = re.compile(r"[(\[]([^()\[\]]*,[^()\[\]]*)[)\]]")  # an interval
DEEPEST = 8


def read(text: str) -> Tree:
    """The answer in its normal form."""
    text = REPEATING.sub(_fraction, written(text))
    if TRIGONOMETRY.search(text):
        text = DEGREES.sub(r"(\1\\cdot \\frac{\\pi}{180})", text)
    return tree(text)


def _fraction(repeating: re.Match[str]) -> str:
    """A decimal that repeats, as 0.1666..., in thirds, ninths and so on."""
    whole, fixed, period = repeating.groups()
    top = int(whole + fixed + period) - int(f"0{whole}{fixed}")
    return f"\\frac{{{top}}}{{{'9' * len(period)}{'0' * len(fixed)}}}"


def tree(text: str, depth: int = 0) -> Tree:
    """The structure of rewritten LaTeX: lists and tuples down to single values, so many levels deep at most."""
    text = text.strip().rstrip(".,;: ")
    if depth > DEEPEST:
        return squeeze(text)
    text = TRANSPOSED.sub("", SETTING.sub("", RELATION.sub("", text)))
    whole = re.fullmatch(r"\\text\{([^{}]*)\}", text)
    if whole and (SAYING.match(whole[1]) or (split_unit(whole[1].strip()) and not time_of_day(text))):
        return tree(whole[1], depth + 1)
    if parts := amounts(text):
        return ("sum", [tree(part, depth + 1) for part in parts])
    for kind in (qualified, labelled):
        if found := kind(text):
            return (found[0], found[1], tree(found[2], depth + 1))
    if is_region(text):
        return squeeze(text)
    return _spoken(text) or _congruence(text) or _collection(text, depth) or _related(text, depth) or value(text)


def _spoken(text: str) -> Tree | None:
    """A time of day, or words; a number with thousands parted."""
    if time := time_of_day(text):
        return ("time", *time, squeeze(text))
    quantity = split_unit(text)
    if THOUSANDS.fullmatch(number := (quantity.number if quantity else text).strip()):
        number = re.sub("[, ]", "", number)
        return ("unit", quantity.unit, quantity.style, number, number) if quantity else number
    return None


def _collection(text: str, depth: int) -> Tree | None:
    """A list, set, tuple or ratio, or `None`."""
    inside = enclosed(text, r"\{", r"\}")
    listed = members(split(text if inside is None else inside, inside is not None), depth + 1)
    if len(listed) > 1:
        return ("list" if inside is None else "set", listed)
    if inside is not None and not INEQUALITY.search(inside):
        return tree(inside, depth + 1)
    for brackets in (("(", ")"), ANGLES):
        inside = enclosed(text, *brackets)
        if inside is not None and len(parts := split(inside, enclosed=True)) > 1:
            return ("tuple", [tree(part, depth + 1) for part in parts])
    if len(parts := split(text, marks=":")) > 2:
        return ("ratio", [tree(part, depth + 1) for part in parts])
    return None


def _congruence(text: str) -> Tree | None:
    match = CONGRUENCE.fullmatch(text) if text.count("mod") == 1 else None
    if match is None:
        return None
    residues = [squeeze(part) for part in split(match["right"])]
    return ("congruence", squeeze(match["left"] or ""), residues, squeeze(match["modulus"]))


def _related(text: str, depth: int) -> Tree | None:
    """A value with a name before it, or several values that are said to be equal; or `None`."""
    first, *others = sides(text)
    if not others or INEQUALITY.search(text):
        return None
    if NAME.fullmatch(first.strip()):
        return ("named", squeeze(first), tree(others[-1], depth + 1), squeeze(text))
    if len(others) > 1 or r"\approx" in text or not re.search(r"[A-Za-z]", re.sub(r"\\[a-z]+", "", first)):
        return ("either", [tree(part, depth + 1) for part in (first, *others)], squeeze(text))
    return None


def column(text: str) -> list[Tree]:
    """The entries of a matrix of one column or one row; none for anything else."""
    match = COLUMN.fullmatch(text)
    rows = [row.split("&") for row in match[2].strip().removesuffix(r"\\").split(r"\\")] if match else []
    return [tree(cell) for row in rows for cell in row] if len(rows) == 1 or all(len(row) == 1 for row in rows) else []


def members(parts: list[str], depth: int) -> list[Tree]:
    r"""The members of a list, where one with a single `\pm`, or a `\mp` that goes with it, stands for two."""
    if len(parts) == 1 and not is_double(parts[0]):
        return [parts[0]]
    found: list[Tree] = []
    for part in parts:
        if not is_double(part):
            found.append(tree(part, depth))
            continue
        for plus, minus in (("+", "-"), ("-", "+")):
            signed = re.sub(r"\\mp(?![a-z])", minus, re.sub(r"\\pm(?![a-z])", plus, part))
            found.append(tree(signed, depth))
    return found


def is_double(part: str) -> bool:
    """Whether it has one sign that is plus and minus, or one of each kind."""
    signs = PLUS_MINUS.findall(part)
    return len(signs) == len(set(signs)) > 0


def is_region(text: str) -> bool:
    """Whether it says which numbers by inequalities joined with "or" or "and"."""
    joined = re.search(r"\\l(?:or|and)(?![a-z])", text)
    return bool(joined and (INEQUALITY.search(text) or re.search(r"[A-Za-z] ?\\in(?![a-z])", text)))


def value(text: str) -> Tree:
    """One value: words, or a quantity with its percent sign or unit."""
    text = text.strip()
    inside = enclosed(text, "(", ")")
    if inside is not None and re.fullmatch("[A-Z]", inside):
        return inside
    if percent := re.fullmatch(r"(.*?\S) ?(?:\\?%|\\text\{ ?(?:percent|\\?%) ?\}|percent)", text):
        return ("percent", squeeze(percent[1]))
    if quantity := split_unit(text):
        return ("unit", quantity.unit, quantity.style, squeeze(quantity.number), squeeze(text))
    words = spoken(text)
    return squeeze(text) if words is None else words


def squeeze(text: str) -> str:
    """LaTeX without the spaces that mean nothing: none that parts two digits, or a command from a letter."""
    return NEEDLESS_SPACE.sub("", text.strip())


def enclosed(text: str, opening: str, closing: str) -> str | None:
    """What stands between two brackets that embrace the whole text."""
    if not (text.startswith(opening) and text.endswith(closing)):
        return None
    inside = text[len(opening) : -len(closing)]
    depth = 0
    for mark in re.findall(r"[()\[\]{}]|\\[lr]angle", inside):
        depth += 1 if mark in ("(", "[", "{", r"\langle") else -1
        if depth < 0:
            return None
    return inside if depth == 0 else None


def split(text: str, enclosed: bool = False, marks: str = ",;") -> list[str]:
    r"""The parts between marks, or `\land` and `\lor`, outside all brackets.

    A comma before three digits parts thousands where a blank follows the commas that part members, as in
    "1,000, 2,000"; with a comma that can be neither, as in "1,7,103, 105", every comma parts members.
    """
    if marks == ",;":
        text = re.sub(r" *\\l(?:and|or)(?![a-z]) *", ", " if re.search(r"[,;] |\\l(?:and|or)", text) else ",", text)
    loose = re.findall(r"\d,(?=\d)", GROUPED.sub("0", text))
    if re.search(r"[,;] ", text) and not loose:
        text = GROUPED.sub(lambda number: number[0].replace(",", ""), text)
    parts, depth, begin = [], 0, 0
    for match in re.finditer(r"\\[lr]angle|[()\[\]{}]|[,;:]", text):
        mark = match[0]
        if mark in ("(", "[", "{", r"\langle"):
            depth += 1
        elif mark in (")", "]", "}", r"\rangle"):
            depth -= 1
        elif mark in marks and depth == 0:
            parts.append(text[begin : match.start()])
            begin = match.end()
    return [part for part in (*parts, text[begin:]) if part.strip()] or [text]
