r"""Answers in words: their normal form, dates, times of day.

spoken(r"\text{all odd } n")   # ("words", "odd n")
spoken(r"20 \text{ June}")     # ("words", "june 20")
time_of_day("2:30 p.m.")       # (870, True): minutes, and whether it says which half of the day
"""

import re

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
SHORT = {month[:3]: month for month in MONTHS} | {"sept": "september"}
DAY = re.compile(r"(?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th)?(?: of)? (?P<month>[a-z]+)\.?,?(?: (?P<year>\d{4}))?")
MONTH = re.compile(r"(?P<month>[a-z]+)\.? (?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?P<year>\d{4}))?")
HALF = r" ?(?P<half>[ap])\.?m\.?| ?(?P<named>noon|midnight)"
TIME = re.compile(rf"(?P<hours>\d{{1,2}})(?::(?P<minutes>[0-5]\d))?(?:{HALF})?")
NAMED = {"noon": (720, True), "midnight": (0, True), "12 noon": (720, True), "12 midnight": (0, True)}
NOTHING = re.compile(
    r"(?:there (?:is|are|exists?) )?(?:no|none|zero)"
    r"(?: (?:such|real|integer|integral|positive|rational|valid|possible|other))*"
    r"(?: (?:solutions?|values?|numbers?|integers?|functions?|pairs?|triples?|roots?|[a-z]))?"
    r"(?: (?:exists?|possible|work))?|(?:the )?empty set|none exists?|(?:it )?has no solutions?"
)
MISSING = re.compile(
    r"dne|(?:the |this )?(?:limit |sum |integral |value |it )?(?:does not|doesn't|do not) exists?|undefined"
)
SYNONYMS = {"infinity": r"\infty", "positive infinity": r"\infty", "negative infinity": r"-\infty"}
EVERY = re.compile(r"(?:all |any |every |the )*(?:set of )?(?:all )?(?:the )?reals?(?: numbers?)?")
FILLER = frozenset(
    {"all", "the", "a", "an", "any", "every", "such", "are", "is", "there", "that", "of", "it", "only", "solutions"}
)
WORDS = frozenset({"no", "yes", "odd", "all", "dne", "none"})


def flat(text: str) -> str:
    r"""The words of a text, without \text{} and blanks, in small letters."""
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text)
    return " ".join(text.split()).strip(" .,;").casefold()


def spoken(text: str) -> tuple[str, str] | str | None:
    """("words", ...) where it is said in words, LaTeX where a word stands for a symbol, or `None`."""
    whole = re.fullmatch(r"\\text\{([^{}]*)\}", text)
    if whole and not re.search(r"[^\W\d_]{2}", whole[1]):
        return whole[1].strip(" .()")
    is_bare = bool(re.fullmatch(r"[A-Za-z]{4,}(?:[ '-][A-Za-z]+)*", text)) or text.casefold() in WORDS
    said = flat(text).strip(" ()")
    mixed = re.search(r"\\text\{[^{}]*[^\W\d_]{2}[^{}]*\}", text) and re.fullmatch(r"[\w\s,.'()-]+", said)
    if date := _date(said):
        return ("words", date)
    if not (whole or is_bare or mixed):
        return None
    if said in SYNONYMS:
        return SYNONYMS[said]
    if EVERY.fullmatch(said):
        return r"\mathbb{R}"
    if NOTHING.fullmatch(said) and said != "no" and said != "zero":
        return ("words", "no solution")
    if MISSING.fullmatch(said):
        return ("words", "does not exist")
    kept = [word for word in said.split() if word not in FILLER]
    return ("words", " ".join(kept) or said)


def _date(said: str) -> str | None:
    """A day of a month, as "june 20" with the year behind it where one is said."""
    match = DAY.fullmatch(said) or MONTH.fullmatch(said)
    month = match and SHORT.get(match["month"], match["month"])
    if not match or month not in MONTHS:
        return None
    return " ".join(filter(None, (month, str(int(match["day"])), match["year"])))


def time_of_day(text: str) -> tuple[int, bool] | None:
    """(minutes since midnight, whether it says which half of the day), or `None`."""
    said = flat(text.replace(r"\colon", ":"))
    if said in NAMED:
        return NAMED[said]
    match = TIME.fullmatch(said)
    if not match or not (match["minutes"] or match["half"] or match["named"]) or int(match["hours"]) > 24:
        return None
    hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
    if match["named"]:
        return None
    if match["half"]:
        return (hours % 12 + 12 * (match["half"] == "p")) * 60 + minutes, True
    return (hours % 24) * 60 + minutes, hours > 12 or hours == 0
