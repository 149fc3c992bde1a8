r"""The writing of an answer brought to one form of LaTeX: Unicode, bare words such as sqrt(3), spacing, numbers.

    written(r"2*sqrt(3)")     # "2\\cdot \\sqrt{3}"
    written("x₁ ≤ √53")       # "x_{1} \\le  \\sqrt{53}"
    written("8.7e8")          # "8.7 \\times 10^{8}"

Only the writing is changed, never the value.
"""

import re
from collections.abc import Callable

GREEK_LETTERS = {
    **{"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta"},
    **{"κ": "kappa", "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma"},
    **{"τ": "tau", "φ": "phi", "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "ħ": "hbar", "Γ": "Gamma"},
    **{"Δ": "Delta", "∆": "Delta", "Θ": "Theta", "Λ": "Lambda", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi"},
    **{"Ω": "Omega", "\N{OHM SIGN}": "Omega"},
}
SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("−–‐‑﹣－", "-"),
        "×": r"\times ",
        **dict.fromkeys("·⋅∙•", r"\cdot "),
        "÷": "/",
        "∕": "/",
        "⁄": "/",
        "∞": r"\infty ",
        **dict.fromkeys("°º˚", r"^{\circ}"),
        "℃": r"^{\circ}\text{C}",
        "℉": r"^{\circ}\text{F}",
        **dict.fromkeys("≤⩽", r"\le "),
        **dict.fromkeys("≥⩾", r"\ge "),
        "≠": r"\ne ",
        "±": r"\pm ",
        "∓": r"\mp ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∖": r"\setminus ",
        "∈": r"\in ",
        "→": r"\to ",
        "≈": r"\approx ",
        "≡": r"\equiv ",
        "∅": r"\emptyset ",
        "∠": r"\angle ",
        "⟨": r"\langle ",
        "⟩": r"\rangle ",
        "〈": r"\langle ",
        "〉": r"\rangle ",
        "⌊": r"\lfloor ",
        "⌋": r"\rfloor ",
        "⌈": r"\lceil ",
        "⌉": r"\rceil ",
        "′": "'",
        "″": "''",
        "’": "'",
        "½": r"\frac{1}{2}",
        "⅓": r"\frac{1}{3}",
        "⅔": r"\frac{2}{3}",
        "¼": r"\frac{1}{4}",
        "¾": r"\frac{3}{4}",
        "ℝ": r"\mathbb{R}",
        "ℤ": r"\mathbb{Z}",
        "ℕ": r"\mathbb{N}",
        "ℚ": r"\mathbb{Q}",
        "ℂ": r"\mathbb{C}",
        "，": ", ",
        "、": ", ",
        "；": ";",
        "：": ":",
        "（": "(",
        "）": ")",
        "％": r"\%",
        **{letter: rf"\{name} " for letter, name in GREEK_LETTERS.items()},
        **{chr(ord("０") + digit): str(digit) for digit in range(10)},
    }
)
RAISED, LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "₀₁₂₃₄₅₆₇₈₉₊₋ₙ"
LEVEL = str.maketrans(RAISED + LOWERED, "0123456789+-n" * 2)
NUMBER = r"\d+(?:\.\d+)?"
ORDINAL = "(?:st|nd|rd|th)"
GREEK = "alpha|beta|gamma|delta|theta|lambda|sigma|omega|epsilon|Delta|Omega|phi|psi|rho|tau"
FUNCTIONS = (
    r"arcsin|arccos|arctan|arcsec|arccsc|arccot|sinh|cosh|tanh|sin|cos|tan|cot|csc|ln|log"
    r"|(?:sec|min|max|gcd|lcm|exp|binom)(?=\()"
)
ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]", "sqrt": r"\sqrt", "cbrt": r"\sqrt[3]"}
ROOT = re.compile(
    r"(?:([√∛∜])|(?<![A-Za-z\\])(sqrt|cbrt)|\\(sqrt)(?=\s*\())\s*(?=(\()|(\d+(?:\.\d+)?|[A-Za-z]|\\[a-z]+))"
)
EXPONENT = re.compile(r"(?:\^\s*|(?<![A-Za-z])\\?exp\s*)(?=\()")
BARE_EXPONENT = re.compile(r"\^ ?(-\d+|-[A-Za-z])")
LITERAL = re.compile(r"\\text\{[^{}]*\}")

# What is rewritten everywhere, in this order.
REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lr]?|middle)(?![a-zA-Z])\.?", ""),
        (r"\\(?:displaystyle|textstyle|limits|nolimits)(?![a-zA-Z])", ""),
        (r"(?<=\d)(?:\{,\}|,\\!|\\[,!;: ]|~)\s*(?=\d{3}(?!\d))", ","),
        (r"\\!", ""),
        (r"^\s*\$ ?(\d[\d,.]*)\s*$", r"\1\\text{ dollars}"),
        (r"\\\$ ?(\d[\d,.]*)", r"\1\\text{ dollars}"),
        (r"€ ?(\d[\d,.]*)|(\d[\d,.]*) ?€", r"\1\2\\text{ euros}"),
        (r"£ ?(\d[\d,.]*)|(\d[\d,.]*) ?£", r"\1\2\\text{ sterling}"),
        (r"\\\$|\$|(?<!\\)\\[()\[\]]", ""),
        (r"(?<!\\)\\[,;: ]|~|\\q?quad(?![a-zA-Z])|\s+", " "),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
        (r"\\(?:ldots|dots|cdots|dotsc)(?![a-zA-Z])|\.{3}|…", r"\\ldots "),
        (r"\\(?:mathbf|boldsymbol|bm|vec)\s*\{\s*(\w|\\[a-z]+)\s*\}", r" \1 "),
        (r"\\(?:mathbf|boldsymbol|bm|vec|underline)\s*(?=\{)", ""),
        (r"\\checkmark(?![a-z])|✓|✔", ""),
        (r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|it|sf|tt)|[mh]box|operatorname)\s*(?=\{)", r"\\text"),
        (r"\\text\{ ?(i|e) ?\}", r" \1"),
        (rf"\\text\{{ ?({FUNCTIONS}) ?\}}", r"\\\1 "),
        (r"\\frac ?\{ ?(\\text\{[^{}]*\}) ?\}\{ ?(\\text\{[^{}]*\}(?:\^\{?\d\}?)?) ?\}", r"\1/\2"),
        (r"(?<=\d) +i(?![A-Za-z])", "i"),
        (r"\\text\{ ?([A-Z](?:, ?[A-Z])+) ?\}", r"\1"),
        (r"\\text\{\s*,?\s*and\s*\}|(?<=[\d)}\s]) ?\band\b ?(?=[-\d(\\]|[a-z] ?[=<>(\\])", r" \\land "),
        (r"\\text\{\s*,?\s*or\s*\}|(?<=[\d)}\s]) ?\bor\b ?(?=[-\d(\\]|[a-z] ?[=<>(\\])", r" \\lor "),
        (rf"(?<=\d) ?\^? ?(?:\{{ ?\\text\{{ ?{ORDINAL} ?\}} ?\}}|\\text\{{ ?{ORDINAL} ?\}}|\{{ ?{ORDINAL} ?\}})", ""),
        (r"(?<=\d)th(?![A-Za-z])", ""),
        (r"(?<=\d) ?[xX] ?(?=10 ?\^)", r" \\times "),
        (r"(?<=\d)\.(?=[/*+) ,-]|$)", ""),
        (r"(?<![\d)}])\.(?=\d)", "0."),
        (rf"(?<![\w.\\])({NUMBER})\.? ?[eE]([+-]?\d+)(?![\w.^])", r"\1 \\times 10^{\2}"),
        (r"\*\*", "^"),
        (r"(?<![\^_{])\*", r"\\cdot "),
        (r"<=", r"\\le "),
        (r">=", r"\\ge "),
        (r" != ", r" \\ne "),
        (r"(?<=[\w)}])\'\'", r"^{\\prime\\prime}"),
        (r"(?<=[\w)}])\'", r"^{\\prime}"),
        (r"(^|[-+=(,{] ?)(\d+) (\d+)/(\d+)(?![\d.])", r"\1\2\\frac{\3}{\4}"),
        (r"\\(d?dot|hat|bar|tilde) ([A-Za-z])(?![A-Za-z])", r"\\\1{\2}"),
        (r"√(?=\{)", r"\\sqrt"),
        (r"\\varnothing(?![a-zA-Z])|^\\\{ ?\\\}$", r"\\emptyset"),
        (r"\\exp ?\{([^{}]*)\}", r"e^{\1}"),
        (r"(?<!log)([_^]) ?(\d+|[A-Za-z])", r"\1{\2}"),
        *2 * ((r"(\\text\{[^{}]*\^)\{ ?(-?\d+) ?\}", r"\1\2"),),
        (r"(?<![A-Za-z\\}])([A-Za-z]) ?\( ?0 ?\)", r"\1_{0}"),
        (r"\^\{T\}", r"^{\\top}"),
        (r"_\{ ?\\([a-z]+) ?\}", r"_{\1}"),
        (r"\^ ?\\(?:circ|degree)(?![a-zA-Z])|\^ ?\{ ?\\circ ?\}|\\degree(?![a-zA-Z])", r"^{\\circ}"),
        (r"\\(?:leqslant|leq)(?![a-zA-Z])", r"\\le "),
        (r"\\(?:geqslant|geq)(?![a-zA-Z])", r"\\ge "),
        (r"\\neq(?![a-zA-Z])", r"\\ne "),
        (r"\\(?:lt)(?![a-zA-Z])", "<"),
        (r"\\(?:gt)(?![a-zA-Z])", ">"),
        (r"\\text\{ ?\(? ?mod(?:ulo)? (\w+) ?\)? ?\}", r"\\pmod{\1}"),
        (r"\\R(?![a-zA-Z])", r"\\mathbb{R}"),
    )
]
# Names that are written without a backslash, outside \text{}.
BARE = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<![A-Za-z\\])(?:np|math|sp|sympy)\.(?=[a-z])", ""),
        (r"(?<![A-Za-z\\])a(sin|cos|tan)(?=\()", r"\\arc\1"),
        (r"(?<![A-Za-z\\])log(2|10)(?=\()", r"\\log_{\1}"),
        (r"(?<![A-Za-z\\])abs\(([^()]*)\)", r"|\1|"),
        (rf"(?<![A-Za-z\\])({FUNCTIONS}|{GREEK}|pi)(?![A-Za-z])", r"\\\1 "),
        (r"(?<![A-Za-z\\])([+-]?) ?(?:infinity|Infinity|inf|oo)(?![A-Za-z])", r"\1\\infty "),
    )
]


def written(text: str) -> str:
    """The text in one form of LaTeX."""
    text = re.sub(f"[{RAISED}]+", lambda raised: "^{" + raised[0].translate(LEVEL) + "}", text)
    text = re.sub(f"[{LOWERED}]+", lambda lowered: "_{" + lowered[0].translate(LEVEL) + "}", text)
    text = text.translate(SYMBOLS)
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    # what stands in \text{} is left alone
    pieces, ends = LITERAL.split(text), LITERAL.findall(text)
    text = "".join(bare(piece) + end for piece, end in zip(pieces, [*ends, ""], strict=True))
    return re.sub(" +", " ", text)


def bare(text: str) -> str:
    r"""Roots, exponents and functions as a calculator has them: sqrt(3), √53, x^(1/2), exp(x), pi, sin(x)."""
    text = _enclose(text, ROOT, _root)
    text = _enclose(text, EXPONENT, lambda match: "e^" if "exp" in match[0] else "^")
    text = BARE_EXPONENT.sub(r"^{\1}", text)
    for pattern, replacement in BARE:
        text = pattern.sub(replacement, text)
    return text


def _root(match: re.Match[str]) -> str:
    return ROOTS[match[1] or match[2] or match[3]]


def _enclose(text: str, pattern: re.Pattern[str], command: Callable[[re.Match[str]], str]) -> str:
    """What follows each match, a bracket or one short operand, in braces behind the command."""
    found, begin = [], 0
    while match := pattern.search(text, begin):
        begin_of_operand, end = match.end(), None
        if text[begin_of_operand] == "(":
            end = closing(text, begin_of_operand)
            operand = None if end is None else text[begin_of_operand + 1 : end - 1]
        else:
            operand = match[5]
            end = begin_of_operand + len(operand)
        if end is None or operand is None:
            found.append(text[begin:begin_of_operand])
            begin = begin_of_operand
            continue
        found.append(f"{text[begin : match.start()]}{command(match)}{{{_enclose(operand, pattern, command)}}}")
        begin = end
    return "".join((*found, text[begin:]))


def closing(text: str, opening: int) -> int | None:
    """Where the round bracket that opens there has closed, or `None`."""
    depth = 0
    for index in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index + 1
    return None
