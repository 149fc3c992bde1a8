r"""What stands before or behind a value without being part of it: names, labels, options, qualifiers.

sides("x = y = 5")                                # ["x ", " y ", " 5"]
labelled(r"\text{Ann: }7")                        # ("labelled", "ann", "7")
labelled(r"\text{(B)} 12")                        # ("option", "B", "12")
qualified(r"3k \text{ for all integers } k")      # ("qualified", ("k", "arbitrary"), "3k")
"""

import re

LETTER = (
    r"(?:\\(?!frac|sqrt|pm|mp|sin|cos|tan|log|ln|le|ge|ne|text|left|begin|langle|infty|cdot|times)[a-zA-Z]+|[A-Za-z])"
)
ACCENT = r"(?:\\(?:dot|ddot|hat|bar|tilde|vec|overline|widehat|mathbf|mathcal|mathbb|underline)\s*\{?\s*)"
INDEX = r"(?:\s*_\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|\w))?"
PRIME = r"(?:\s*\^\s*(?:\{\s*(?:\\prime\s*)+\}|\{?\s*(?:\*|\\ast|\\top|\(\w\))\s*\}?|\\prime))?"
SYMBOL = rf"(?:{ACCENT}(?:[A-Za-z]+|\\[a-z]+)\s*\}}?|{LETTER}){INDEX}{PRIME}{INDEX}"
ARGUMENT = rf"(?:-?\d+|{SYMBOL}(?:\s*(?:\\cap|\\cup|\\mid|\|)\s*{SYMBOL})*)"
INVERSE = r"(?:\s*\^\s*\{\s*-1\s*\})?"
CALL = rf"{SYMBOL}{INVERSE}\s*(?:\(\s*{ARGUMENT}(?:\s*,\s*{ARGUMENT})*\s*\)|\[\s*{SYMBOL}\s*\])"
CHANCE = r"(?:\\?(?:Pr|P|E|Var)|\\mathbb\{[PE]\})\s*(?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\]|\\\{[^{}]*\\\})"
POINT = r"[A-Z](?:\s*_\{?\w\}?)?"
SHAPE = r"(?:\\(?:angle|triangle|overline|overrightarrow|widehat|arc|square)\s*\{?\s*|\||\[\s*|m\s*\\angle\s*)"
FIGURE = rf"\\angle\s*{POINT}|{SHAPE}?{POINT}(?:\s*{POINT})+\s*[}}|\]]?"
NORM = rf"(?:\||\\\|)\s*{SYMBOL}\s*(?:\||\\\|)"
DERIVATIVE = rf"\\frac\s*\{{\s*d(?:\^\{{\d\}})?\s*{SYMBOL}(?:\s*\(\s*{SYMBOL}\s*\))?\s*\}}\s*\{{\s*d\s*{SYMBOL}\s*\}}"
FUNCTION = (
    r"\\(?:sin|cos|tan|cot|sec|csc|ln|log|arg|deg|det|dim|Re|Im|gcd)"
    rf"\s*\(?\s*(?:\d\s*)?{SYMBOL}\s*\)?"
)
OPERATOR = r"\\(?:lim|int|iint|oint|sum|prod|max|min|sup|inf|nabla)(?![a-z]).*"
TUPLE = rf"\(\s*{SYMBOL}(?:\s*,\s*{SYMBOL})*\s*\)"
SPELLED = r"\\text\s*\{[^{}]*\}(?:\s*_\{[^{}]*\})?(?:\s*\([^()]*\))?|[A-Z][a-z]{2,}(?: [A-Za-z]+)*"
NAME = re.compile(
    "|".join(
        (CALL, CHANCE, FIGURE, NORM, DERIVATIVE, FUNCTION, OPERATOR, TUPLE, SPELLED, SYMBOL, ACCENT + FIGURE + "}")
    )
)

LEADING = (
    r"(?:(?:the|so|thus|hence|therefore|our|my|final|correct|required|desired|we get|we have) )*"
    r"(?:answers?|results?|solutions?|values?|is|are|it is|approximately|about|approx\.?|exactly|option|choice)"
    r"(?:\W| is| are| the| answer| option| choice| approximately| about| exactly)*"
)
SAYING = re.compile(
    rf"(?:\\text\{{\s*{LEADING}\}}|(?:The |Final )?[Aa]nswer(?: is)?\s*[:=]?|The answer is"
    r"|(?:Option|Choice)(?= \(?[A-J]\)?$))"
    r"\s*[:=]?\s*(?=\S)",
    re.IGNORECASE,
)
IN_BRACKETS = re.compile(
    r"(?:\\text\{\s*\(([A-Ja-j]|i{1,3}|iv)\)\s*\}|\(([A-Ja-j])\) |\\text\{\s*([A-Ja-j])[.:)]\s*\}"
    r"|([A-J])[.:] )\s*(?=\S)"
)
LABEL = re.compile(
    r"(?:\\text\{\s*([^{}]*[^\W\d_]{2}[^{}]*?)\s*(?::|\bis|\bare)\s*\}|\\text\{\s*([^{}]*[^\W\d_]{2}[^{}]*?)\s*\}\s*:"
    r"|([A-Z][a-z]+(?: [A-Za-z]+)*)\s*:)\s*(?=\S)"
)
REMARK = re.compile(
    r"\s*\\text\{\s*\(?(?:approximately|approx\.?|exactly|rounded[^{}]*)\)?\s*\}"
    r"|\s*\((?:approximately|approx\.?)\)"
)
DERIVED = re.compile(
    r"\\frac\{d(?:\^\{(\d)\})?\s*([A-Za-z])(?:\([a-z]\))?\}\{d\s*[A-Za-z](?:\^\{\d\})?\}"
    r"|([A-Za-z])\^\{\\prime(\\prime)?\}(?:\([a-z]\))?|\\(d?)dot\{?([A-Za-z])\}?(?:\([a-z]\))?"
)
CALLED = re.compile(r"(.*?[^\s(])\(([A-Za-z](?:,[A-Za-z])*)\)")
INDEXED = re.compile(r"([A-Za-z])_\{([i-n])\}")  # a_n = ... is a function of n
NUMBERS = (
    r"(?:positive|negative|non-?negative|nonzero|non-zero|real|rational|complex|natural|whole|arbitrary|fixed|given)"
)
DOMAIN = r"(?:integers?|numbers?|reals?|values?|constants?|parameters?)"
WHICH = r"(?:[a-zA-Z](?:_\w+)?(?:(?:, ?| and )[a-zA-Z](?:_\w+)?)*)"
QUALIFIER = re.compile(
    rf"[,;( ]*(?:(?:for|where|with|and|here)\b ?)*(?:(?:all|any|every|each|some|an?)\b ?)?(?:\\forall ?)?"
    rf"(?:{NUMBERS} ?)*"
    rf"(?:{DOMAIN})?(?: ?(?:of|for)\b)? ?(?P<names>{WHICH})?"
    rf"(?: ?(?:(?:is|are)\b ?(?:an?|any|some)?|\b(?:an?|any)\b) ?(?:{NUMBERS} ?)*(?:{DOMAIN})?"
    r"| ?\\in ?\\mathbb\{?(?P<set>[A-Z])\}?(?:\^?\{?[+*]\}?|_\{[^{}]*\})?)?"
    r"(?: ?(?:\\ge|>) ?\d+)?[). ]*",
)
EVIDENCE = re.compile(
    rf"\b(?:all|any|every|each|{DOMAIN}|real|arbitrary)\b|\\in ?\\mathbb|\\forall"
    r"|(?:for|where|with) [a-z] ?(?:\\ge|>) ?\d"
)
START = re.compile(r",|\(|\\text\{|\\forall|\\quad|\b(?:for|where|with)\b")


def sides(text: str) -> list[str]:
    r"""What stands between the signs = and \approx outside all brackets."""
    parts, depth, begin = [], 0, 0
    for match in re.finditer(r"[()\[\]{}]|=|\\(?:approx|simeq)(?![a-z])", text):
        mark = match[0]
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        elif depth == 0:
            parts.append(text[begin : match.start()])
            begin = match.end()
    parts.append(text[begin:])
    return parts if all(part.strip() for part in parts) else [text]


def labelled(text: str) -> tuple[str, str, str] | None:
    """("said" | "option" | "labelled", what it is called, the rest), or `None`; only where there is one label."""
    if found := REMARK.search(text):
        return ("said", "", REMARK.sub("", text)) if text != found[0] else None
    if (found := SAYING.match(text)) and text[found.end() :].strip():
        return ("said", "", text[found.end() :])
    for kind, pattern in (("option", IN_BRACKETS), ("labelled", LABEL)):
        found = pattern.match(text)
        if found and not pattern.search(text, found.end()):
            return (kind, next(filter(None, found.groups())).casefold(), text[found.end() :])
    return None


def qualified(text: str) -> tuple[str, tuple[str, str], str] | None:
    """("qualified", (names, "arbitrary" for integers and constants or "any"), the rest), or `None`."""
    for start in START.finditer(text):
        head, tail = text[: start.start()].strip(" ,"), text[start.start() :]
        if not head or head.count("(") != head.count(")") or head.count("{") != head.count("}"):
            continue
        plain = re.sub(r"\s+", " ", re.sub(r"\\text\{([^{}]*)\}", r" \1 ", tail)).strip()
        match = QUALIFIER.fullmatch(plain)
        if match and EVIDENCE.search(plain):
            said = re.search("integer|natural|constant", plain)
            arbitrary = match["set"] in ("Z", "N") or said is not None
            return ("qualified", (match["names"] or "", "arbitrary" if arbitrary else "any"), head)
    return None


def bindings(name: str, other: str) -> dict[str, str] | None:
    """What the variables of the other name are called in the first, or `None` where the names differ."""
    if name == other:
        return {}
    one, two = (DERIVED.fullmatch(text) for text in (name, other))
    if one and two and _derived(one) == _derived(two):
        return {}
    called, calls = (CALLED.fullmatch(text) or INDEXED.fullmatch(text) for text in (name, other))
    if (called and called[1] == other) or (calls and calls[1] == name):
        return {}  # v and v(t)
    if not called or not calls or called[1] != calls[1]:
        return None
    ours, theirs = called[2].split(","), calls[2].split(",")
    return dict(zip(theirs, ours, strict=True)) if len(ours) == len(theirs) else None


def _derived(match: re.Match[str]) -> tuple[str, int]:
    """What is differentiated, and how often."""
    power, fraction, primed, second, dotted, dot = match.groups()
    return fraction or primed or dot, int(power or 1) if fraction else 1 + bool(second or dotted)
