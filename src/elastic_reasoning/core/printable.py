"""Text that others wrote, as it may be shown: a terminal obeys some letters instead of showing them.

    printable("\\x1b]52;c;...")      # \\x1b]52;c;...   every letter is seen, none is obeyed
    one_line(message)               # the same on one line, and not longer than a screen

Models, servers and files decide what is in such texts. Whatever this project prints of them goes through here, into a
file or a pipe as well as onto a terminal: a file is shown on a terminal later. Who wants every letter as it is takes
`--json`, in which the same letters are written as JSON writes them, or the records.
"""

import json
import re
from typing import Any

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters of both sets but tab and newline, what breaks a line or turns its direction, half letters."""
MOST_LETTERS = 2000


def printable(text: str) -> str:
    """A text in which letters that a terminal obeys are written as Python writes them."""
    return OBEYED.sub(_escaped, text)


def one_line(text: str, most: int = MOST_LETTERS) -> str:
    """A text as one printable line, cut where it is longer than so many letters."""
    shown = printable(" ".join(text[: 4 * most].splitlines()).replace("\t", " "))
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def printable_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON that means the same and holds no letter that a terminal obeys."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return OBEYED.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text)


def _escaped(letter: re.Match[str]) -> str:
    number = ord(letter[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
