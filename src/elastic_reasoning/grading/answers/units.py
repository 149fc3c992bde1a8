r"""The unit, or the noun, after a quantity: which words they are is told here, what they mean by `quantities`.

split_unit(r"15\text{ cm}^{2}")  # Quantity("15", "cm^2", "text")
split_unit("36 mL")              # Quantity("36", "mL", "bare")
split_unit("5 J")                # Quantity("5", "J", "letter"): or a number times a variable
split_unit(r"5\text{ or more}")  # None: the words are part of what it says
"""

import re
from typing import NamedTuple

# Words that are part of what a quantity says, and names that are written without a backslash.
MEANING = frozenset(
    re.findall(
        r"\w+",
        """
    half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths
    ninth ninths tenth tenths hundredth hundredths thousandth thousandths
    pair pairs percent percentage factorial times
    more less fewer least most if for when where odd even am pm noon midnight is are not no base mod modulo or and to
    than
    north south east west left right up down clockwise counterclockwise profit loss gain
    january february march april may june july august september october november december
    e i x pi alpha beta gamma delta theta lambda sigma omega sqrt sinh cosh tanh
    """,
    )
)
MULTIPLES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
TEXT = r"\\text\{[^{}]*\}"
POWER = r"(?: ?\^ ?(?:\{ ?-?\d+ ?\}|\d))?"
SIGN = r"(?: ?(?:/|\\cdot(?![a-z])|\\times(?![a-z])|\\%) ?| *)"
ATOM = rf"(?:{TEXT}|(?:[kM] ?)?\\Omega(?![a-z])|\\mu(?![a-z])){POWER}"
IN_TEXT = re.compile(rf"(?P<q>.*?[^ /.]) ?(?:\\cdot|\.)? ?(?P<unit>/? ?{ATOM}(?:{SIGN}(?:{ATOM}|[A-Za-z]{POWER}))*) ?")
WORD = rf"[A-Za-z]+{POWER}"
BARE = re.compile(rf"(?P<q>.*?(?:[\d)}}]|\\pi)) (?P<unit>{WORD}(?:(?: ?/ ?| ?\\cdot ?| )\(?{WORD}\)?)*) ?")
CHINESE = re.compile(r"(?P<q>.*[\d)}]) ?(?P<unit>[\u4e00-\u9fff]+)")
DEGREES = re.compile(r"(?P<q>.*\S) ?\^\{\\circ\} ?(?:\\text\{ ?)?(?P<unit>[CF]?)(?: ?\})?")
PRIMES = re.compile(r"(?P<q>-?\d+(?:\.\d+)?) ?\^\{ ?(?P<unit>\\prime(?: ?\\prime)?) ?\}")
LOOSE = re.compile(r"\\(?:ln|log|sin|cos|tan|cot|sec|csc|cdot|times|pm|mp)\s*$")
AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?(?:\\text\{ ?)?([A-Za-z]+?)(?:,? and)?[ ,}]*(?:\\land|\band\b)?(?=[ \d]|$)")
AMOUNTS = re.compile(rf"(?:{AMOUNT.pattern} *){{2,}}")
COMMAND = re.compile(r"\\[A-Za-z]+")


class Quantity(NamedTuple):
    """A number with what follows it.

    Attributes:
        number: LaTeX.
        unit: the words, powers as ^2; they may be no unit that is known.
        style: "text" where they stand in \\text{}, "bare" where they do not, "letter" for one bare letter.
    """

    number: str
    unit: str
    style: str


def split_unit(text: str) -> Quantity | None:
    """The quantity and the words after it, or `None` where there are none or they say more than a unit does."""
    if (match := DEGREES.fullmatch(text)) and is_number(match["q"]):
        return Quantity(match["q"], f"deg{match['unit']}", "text")
    if match := PRIMES.fullmatch(text):
        unit = "arc minute or foot" if match["unit"] == r"\prime" else "arc second or inch"
        return Quantity(match["q"], unit, "text")
    style, match = "text", IN_TEXT.fullmatch(text) or CHINESE.fullmatch(text)
    if match is None:
        style, match = "bare", BARE.fullmatch(text)
    if match is None or (style == "bare" and not is_number(match["q"])):
        return None
    unit = plain(match["unit"])
    number, unit = _multiplied(match["q"], unit)
    words = set(re.findall(r"[a-z]+", unit.casefold().replace(".", "")))
    if MEANING & words or unit.startswith(("squared", "cubed")) or (unit and not re.search(r"[^\W\d_]", unit)):
        return None
    letter = re.fullmatch(r"[A-Za-z]|µ", unit) and (style == "bare" or not match["unit"].startswith("\\text"))
    return Quantity(number, unit, "letter" if letter else style)


def amounts(text: str) -> list[str]:
    """The parts of a quantity in several units, as 2 hours 30 minutes; none where it has but one."""
    if not AMOUNTS.fullmatch(text):
        return []
    return [f"{number}\\text{{{unit}}}" for number, unit in AMOUNT.findall(text)]


def plain(unit: str) -> str:
    """The words of a unit without LaTeX around them."""
    unit = re.sub(r"\\text\{([^{}]*)\}", r"\1", unit)
    unit = re.sub(r"\\cdot ?|\\times ?", " ", unit).replace(r"\Omega", "Ω").replace(r"\mu", "µ")
    unit = re.sub(r"\^ ?\{ ?(-?\d+) ?\}", r"^\1", unit)
    unit = re.sub(r"(?<=[µk]) (?=[A-Za-zΩ])", "", unit)
    return " ".join(unit.split()).strip(" .")


def _multiplied(number: str, unit: str) -> tuple[str, str]:
    """A number of thousands, millions or dozens as the number that it is."""
    first, _, rest = unit.partition(" ")
    if first.casefold() in MULTIPLES:
        return _multiplied(f"{number} \\times 10^{{{MULTIPLES[first.casefold()]}}}", rest)
    if first.casefold() == "dozen":
        return f"{number} \\times 12", rest
    return number, unit


def is_number(text: str) -> bool:
    r"""Whether it is written with digits and commands alone, such as `\frac{3}{2}` or `2\pi`."""
    return (
        bool(re.search(r"\d|\\pi", text))
        and not LOOSE.search(text)
        and not re.search(r"[A-Za-z=<>]", COMMAND.sub("", text))
    )
