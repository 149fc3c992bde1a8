r"""An answer as it was written, brought to a form that can be compared.

    read(r"15\mbox{ cm}^2")        # ("unit", "cm", "15")
    read(r"\{3 \pm \sqrt{2}, 1\}") # ("list", ["3+\\sqrt{2}", "3-\\sqrt{2}", "1"])
    read(r"\text{Evelyn}")         # ("words", "evelyn")

Only the writing is changed, never the value. It mends what math-verify misreads (numbers such as 8.7e8, superscripts
in Unicode, ordinals, thin spaces) and keeps apart what math-verify drops (repeated members, units of different size).
"""

import re
from typing import Any

from elastic_reasoning.grading.units import without_unit

# A leaf is LaTeX for math-verify; anything else is (kind, content).
Tree = str | tuple[Any, ...]

SYMBOLS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "×": r"\times ",
        "·": r"\cdot ",
        "⋅": r"\cdot ",
        "÷": "/",
        "π": r"\pi ",
        "∞": r"\infty ",
        "√": r"\sqrt ",
        "°": r"^{\circ}",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "±": r"\pm ",
        "∪": r"\cup ",
        "∈": r"\in ",
        "≈": r"\approx ",
        "∅": r"\emptyset ",
        "ℝ": r"\mathbb{R}",
        "½": r"\frac{1}{2}",
        "，": ",",
        "€": "",
        "£": "",
    }
)
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ"
LEVEL = str.maketrans(RAISED, "0123456789+-n")
NUMBER = r"\d+(?:\.\d+)?"
ORDINAL = "(?:st|nd|rd|th)"
# What is rewritten everywhere, in this order.
REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\.?", ""),
        (r"\\(?:displaystyle|textstyle|limits|nolimits)(?![a-zA-Z])", ""),
        (r"(?<=\d)(?:\{,\}|,\\!|\\[,!;: ]|~)\s*(?=\d{3}(?!\d))", ","),
        (r"\\!", ""),
        (r"\\\$ ?(\d[\d,.]*)", r"\1\\text{ dollars}"),
        (r"\\\$|\$|(?<!\\)\\[()\[\]]", ""),
        (r"(?<!\\)\\[,;: ]|~|\\q?quad(?![a-zA-Z])|\s+", " "),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:mathbf|boldsymbol|bm)\s*(?=\{)", ""),
        (r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|it|sf|tt)|[mh]box|operatorname)\s*(?=\{)", r"\\text"),
        (r"\\text\{ ?i ?\}", " i"),
        (r"(?<=\d) i(?![A-Za-z])", "i"),
        (r"\\text\{ ?([A-Z](?:, ?[A-Z])+) ?\}", r"\1"),
        (r"\\text\{\s*(?:and|or)\s*\}|(?<=[\d)}\s]) ?\b(?:and|or)\b ?(?=[-\d(\\]|[a-z] ?=)", ","),
        (rf"(?<=\d) ?\^? ?(?:\{{ ?\\text\{{ ?{ORDINAL} ?\}} ?\}}|\\text\{{ ?{ORDINAL} ?\}}|\{{ ?{ORDINAL} ?\}})", ""),
        (r"(?<=\d)th(?![A-Za-z])", ""),
        (rf"(?<![\w.\\])({NUMBER}) ?[eE]([+-]?\d+)(?![\w.^])", r"\1 \\times 10^{\2}"),
        (r"(?<=\d) ?[xX] ?(?=10 ?\^)", r" \\times "),
        (r"(?<=\d)\.(?=[/*+) ,-]|$)", ""),
        (r"(?<![\d)}])\.(?=\d)", "0."),
        (r"(?<=[\w)}])\'\'", r"^{\\prime\\prime}"),
        (r"(?<=[\w)}])\'", r"^{\\prime}"),
        (r"(^|[-+=(,{] ?)(\d+) (\d+)/(\d+)(?![\d.])", r"\1\2\\frac{\3}{\4}"),
        (r"\\varnothing(?![a-zA-Z])|^\\\{ ?\\\}$", r"\\emptyset"),
        (r"\\exp ?\{([^{}]*)\}", r"e^{\1}"),
        (r"(?<!log)([_^]) ?(\d+|[A-Za-z])", r"\1{\2}"),
        (r"\^\{T\}", r"^{\\top}"),
        (r"_\{ ?\\([a-z]+) ?\}", r"_{\1}"),
        (r"\^ ?\\(?:circ|degree)(?![a-zA-Z])|\^ ?\{ ?\\circ ?\}|\\degree(?![a-zA-Z])", r"^{\\circ}"),
    )
]
THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
REPEATING = re.compile(r"(\d*)\.(\d*) ?\\(?:overline|bar) ?\{(\d+)\}")
RELATION = re.compile(r"^(?:[A-Za-z](?: ?: ?[A-Za-z])+ ?)?(?:=|\\(?:approx|simeq)(?![a-zA-Z]))\s*(?=.)")
SETTING = re.compile(r"^(?:[A-Za-z]|\([A-Za-z](?:,\s*[A-Za-z])+\))\s*(?:=|\\in(?![a-z]))\s*(?=\([^()]*,|\\\{)")
PLUS_MINUS = re.compile(r"\\pm(?![a-z])")
NEEDLESS_SPACE = re.compile(r"(?<!\w)\s+|\s+(?!\w)")
TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
DEGREES = re.compile(rf"({NUMBER}) ?\^\{{\\circ\}}")
DEEPEST = 8
WORDS = frozenset({"no", "yes", "odd", "all"})


def read(text: str) -> Tree:
    """The answer in its normal form."""
    text = text.translate(SYMBOLS)
    text = re.sub(f"[{RAISED}]+", lambda raised: "^{" + raised[0].translate(LEVEL) + "}", text)
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    text = REPEATING.sub(_fraction, text)
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
    if depth > DEEPEST:
        return squeeze(text)
    text = SETTING.sub("", RELATION.sub("", text.strip().rstrip(".,;: ")))
    quantity, unit = without_unit(text)
    if THOUSANDS.fullmatch(quantity.strip()):
        return _measured(quantity.replace(",", ""), unit)
    inside = enclosed(text, r"\{", r"\}")
    listed = members(split(text if inside is None else inside), depth + 1)
    if len(listed) > 1:
        return ("list" if inside is None else "set", listed)
    if inside is not None:
        return tree(inside, depth + 1)
    inside = enclosed(text, "(", ")")
    if inside is not None and len(parts := split(inside)) > 1:
        return ("tuple", [tree(part, depth + 1) for part in parts])
    if len(parts := split(text, ":")) > 2:
        return ("ratio", [tree(part, depth + 1) for part in parts])
    is_choice = inside is not None and re.fullmatch("[A-Z]", inside)
    return value(inside if inside and is_choice else text)


def members(parts: list[str], depth: int) -> list[Tree]:
    r"""The members of a list, where one with a single `\pm` stands for two."""
    if len(parts) == 1 and len(PLUS_MINUS.findall(parts[0])) != 1:
        return [parts[0]]
    found = []
    for part in parts:
        once = len(PLUS_MINUS.findall(part)) == 1
        found += [tree(PLUS_MINUS.sub(sign, part), depth) for sign in ("+", "-")] if once else [tree(part, depth)]
    return found


def value(text: str) -> Tree:
    """One value: words, or a quantity with its percent sign or unit."""
    text = text.strip()
    if whole := re.fullmatch(r"\\text\{([^{}]*)\}", text):
        words = whole[1].strip(" .()")
        return ("words", " ".join(words.casefold().split())) if re.search(r"[^\W\d_]{2}", words) else squeeze(words)
    if re.fullmatch(r"[A-Za-z]{4,}(?: [A-Za-z]+)*", text) or text.casefold() in WORDS:
        return ("words", text.casefold())
    if percent := re.fullmatch(r"(.*?\S) ?(?:\\?%|\\text\{ ?(?:percent|\\?%) ?\}|percent)", text):
        return ("percent", squeeze(percent[1]))
    return _measured(*without_unit(text))


def _measured(quantity: str, unit: str | None) -> Tree:
    return squeeze(quantity) if unit is None else ("unit", unit, squeeze(quantity))


def squeeze(text: str) -> str:
    """LaTeX without the spaces that mean nothing: none that parts two digits, or a command from a letter."""
    return NEEDLESS_SPACE.sub("", text.strip())


def enclosed(text: str, opening: str, closing: str) -> str | None:
    """What stands between two brackets that embrace the whole text."""
    if not (text.startswith(opening) and text.endswith(closing)):
        return None
    inside = text[len(opening) : -len(closing)]
    depth = 0
    for mark in re.findall(r"[()\[\]{}]", inside):
        depth += 1 if mark in "([{" else -1
        if depth < 0:
            return None
    return inside if depth == 0 else None


def split(text: str, marks: str = ",;") -> list[str]:
    """The parts between marks outside all brackets; with "1,000, 2,000" the space tells them apart."""
    if re.search(r"[,;] ", text):
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    parts, depth, begin = [], 0, 0
    for index, mark in enumerate(text):
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        elif mark in marks and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    return [part for part in (*parts, text[begin:]) if part.strip()] or [text]
