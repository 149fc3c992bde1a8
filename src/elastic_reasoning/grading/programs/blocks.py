"""The program in a solution: the last complete block of code that is marked as Python, or as nothing.

last_code_block("so:\\n```python\\nprint(7)\\n```\\nwhich prints 7")     # "print(7)\\n"
"""

import re
from dataclasses import dataclass

LANGUAGES = ("", "python", "py", "python3")
# Three ticks or tildes or more; in front of them text, behind them text without any more.
FENCE = re.compile(r"(?P<front>[^`~]*)(?P<fence>`{3,}|~{3,})(?P<behind>[^`~]*(?:`{1,2}[^`~]+`{1,2}[^`~]*)*)")
LANGUAGE = re.compile(r"[\w+#.-]*\s*|[\w+#.-]+\s+\S+=.*")
TEXT = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
UNFINISHED = re.compile(r"[#'\"]")
# What can hold three quotes or be taken for them: a comment, a text on one line, the quotes of one on several.
PIECE = re.compile(rf"#.*|\"\"\"|'''|{TEXT.pattern}")


@dataclass(slots=True)
class Block:
    """A block that is open.

    Attributes:
        fence: what opened it.
        indent: what stood in front of that, of which the lines of the block have the same.
        is_program: whether it is marked as Python or nothing.
        lines: its content so far.
        quotes: the three quotes within which its last line ended, or nothing.
    """

    fence: str
    indent: str
    is_program: bool
    lines: list[str]
    quotes: str = ""

    def add(self, line: str) -> None:
        """Take a line of the content."""
        self.lines.append(f"{line.removeprefix(self.indent)}\n")
        self.quotes = quotes_behind(line, self.quotes)

    def closes(self, fence: str) -> bool:
        """Whether a fence is one of the same kind, and long enough."""
        return fence.startswith(self.fence)


def last_code_block(solution: str) -> str | None:
    """The content of the last complete block marked python, py, python3 or nothing, or `None`.

    A fence of ticks or tildes closes a block if it is at least as long as the one that opened it. Text may stand in
    front of an opening fence ("Here: ```python"), behind a closing one ("``` It prints 7."), and the last line of a
    program in front of it; within a text of the program on several lines only a bare fence is one. A fence with one of
    these languages starts anew: the block before was never closed. A block that the end of the solution cut is not
    taken: like DeepCoder, and because a cut program is none.
    """
    last: list[str] | None = None
    block: Block | None = None
    for line in solution.replace("\r\n", "\n").split("\n"):
        found = FENCE.fullmatch(line) if "```" in line or "~~~" in line else None
        if found is None or (block and not _ends(block, found)):
            if block:
                block.add(line)
            continue
        front, fence, behind = found["front"], found["fence"], found["behind"].strip(" \t")
        language = next(iter(behind.split(maxsplit=1)), "").lower()
        if block:
            names_language = bool(behind and LANGUAGE.fullmatch(behind))
        else:
            names_language = not front.strip(" \t") or bool(LANGUAGE.fullmatch(behind))
        if block and not (names_language and language in LANGUAGES):
            if front.strip(" \t"):
                block.add(front)
            last = block.lines if block.is_program else last
            block = None
        if names_language:
            indent = front if not front.strip(" \t") else ""
            block = Block(fence, indent, language in LANGUAGES, [])
    return None if last is None else "".join(last)


def _ends(block: Block, found: re.Match[str]) -> bool:
    """Whether a line with a fence ends a block, or belongs to it."""
    bare = not found["front"].strip(" \t") and not found["behind"].strip(" \t")
    if not block.closes(found["fence"]):
        return False
    return bare or not (block.quotes or UNFINISHED.search(TEXT.sub("", found["front"])))


def quotes_behind(line: str, quotes: str = "") -> str:
    """The three quotes within which a line of Python ends, or nothing.

    Args:
        line: the line.
        quotes: those within which it begins.
    """
    at = 0
    while True:
        if quotes:
            end = line.find(quotes, at)
            if end < 0:
                return quotes
            quotes, at = "", end + 3
        piece = PIECE.search(line, at)
        if piece is None:
            return ""
        at = piece.end()
        quotes = piece[0] if piece[0] in ('"""', "'''") else ""
