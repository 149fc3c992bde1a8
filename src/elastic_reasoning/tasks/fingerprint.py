"""The words of a problem, by which it is recognised in whatever source and layout it stands.

    fingerprint("Find  $x + y$.") == fingerprint("find x+y")

By its fingerprint a problem is named, mended and put into a split.
"""

import re
from hashlib import blake2b

WORD = re.compile(r"[^\W_]+")
LAYOUT = re.compile(r"\\(?:left|right|[dt]?frac|[cl]?dots|text|math[a-z]+|not|neq?)(?![a-z])", re.IGNORECASE)
"""Commands of LaTeX that sources write differently, or leave out."""


def words(text: str) -> list[str]:
    """The words and numbers of a text in lower case, without punctuation and LaTeX's layout."""
    return WORD.findall(LAYOUT.sub(" ", text).lower())


def fingerprint(text: str) -> str:
    """Sixteen hexadecimal digits that stand for the words of a text."""
    return blake2b(" ".join(words(text)).encode(), digest_size=8).hexdigest()
