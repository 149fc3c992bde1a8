r"""The unit after a quantity: it is asked for in the question, so that an answer may leave it out, but not change it.

without_unit(r"15\text{ cm}^2")  # ("15", "cm")
without_unit(r"12\text{ grade}") # ("12", None): a word that is no unit of known size says nothing
without_unit("2t")               # ("2t", None): a letter may be a variable
"""

import re

SIZES = {
    alias: unit
    for unit, aliases in {
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "m meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "in": "in inch inches",
        "ft": "ft foot feet",
        "yd": "yd yard yards",
        "mi": "mi mile miles mph",
        "s": "s sec second seconds",
        "min": "min minute minutes",
        "h": "h hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "yr year years",
        "g": "g gram grams",
        "kg": "kg kilogram kilograms",
        "degree": "deg degree degrees",
        "radian": "rad radian radians",
        "cent": "cent cents",
        "dollar": "dollar dollars",
    }.items()
    for alias in aliases.split()
}
# Words that are part of what a quantity says, and names that are written without a backslash.
MEANING = frozenset(
    """
    half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths
    ninth ninths tenth tenths hundredth hundredths thousandth thousandths
    hundred thousand million billion trillion dozen pair pairs percent percentage squared cubed factorial times
    more less fewer least most if for when where odd even am pm is are not no base mod modulo or and to than
    north south east west left right up down clockwise counterclockwise profit loss gain
    e i x pi alpha beta gamma delta theta lambda sigma omega sqrt sinh cosh tanh
    """.split()  # noqa: SIM905
)
IN_TEXT = re.compile(r"(.*[^ /.])[ /.]*(?:\\cdot)?[ /.]*\\text\{([^{}]*)\}(?:\^(?:\{[^{}]*\}|\d))? ?")
BARE = re.compile(r"(.*[\d)}]) ((?:square |cubic )?[A-Za-z]{2,})(?: ?\^ ?(?:\{\d\}|\d))? ?")
DEGREES = re.compile(r"(.*\S) ?\^\{\\circ\} ?C?")
PRIMES = re.compile(r"(-?\d+(?:\.\d+)?) ?\^\{ ?(\\prime|\\prime ?\\prime) ?\}")
COMMAND = re.compile(r"\\[A-Za-z]+")


def without_unit(text: str) -> tuple[str, str | None]:
    """The quantity, and its unit by one name where that is one of known size."""
    unit = None
    while match := IN_TEXT.fullmatch(text) or BARE.fullmatch(text):
        said = match[2].casefold().replace(".", "")
        words = re.findall(r"[a-z]+", said)
        known = SIZES.get(words[0]) if len(words) == 1 else None
        variables = match.re is BARE and not known and len(words[-1]) < 4
        if variables or MEANING.intersection(words) or (said.strip() and not words):
            break
        if not (known or is_number(match[1])):
            break
        text, unit = match[1], known or unit
    if (match := DEGREES.fullmatch(text)) and is_number(match[1]):
        return match[1], "degree"
    if match := PRIMES.fullmatch(text):
        return match[1], "arc minute or foot" if match[2] == r"\prime" else "arc second or inch"
    return text, unit


def is_number(text: str) -> bool:
    """Whether it is written with digits and commands alone, such as `\\frac{3}{2}` or `2\\pi`."""
    return bool(re.search(r"\d|\\pi", text)) and not re.search(r"[A-Za-z]", COMMAND.sub("", text))
