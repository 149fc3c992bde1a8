"""A text that says how many tokens were thought: {budget}, {used} and {left} in it stand for numbers.

    text = CountedText.of("{used} of {budget} tokens are used.", template.encode, budget=512)
    text.ids(300)       # those of "300 of 512 tokens are used."
    text.most           # how many ids it has at the most, whatever is used

All other braces stand for themselves, as those of \\boxed{}. The text between numbers is encoded by itself, and so is
each number, so that it is known beforehand how long it can become.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

BUDGET, USED, LEFT = "{budget}", "{used}", "{left}"
UNLIMITED = "unlimited"
"""What stands for the numbers of a budget that has no end."""
MOST_DIGITS = 9
"""Of a number of tokens under such a budget."""
_NUMBERS = re.compile(f"({re.escape(USED)}|{re.escape(LEFT)})")

Encode = Callable[[str], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class CountedText:
    """A text with numbers of tokens in it, as ids.

    Attributes:
        parts: ids of text, and names of numbers.
        budget: tokens that may be used; `None` for no limit.
        encode: text to ids.
        num_before: tokens that are used before those that one asks with.
    """

    parts: tuple[tuple[int, ...] | str, ...]
    budget: int | None
    encode: Encode
    num_before: int = 0

    @classmethod
    def of(cls, text: str, encode: Encode, budget: int | None) -> "CountedText":
        """Read a text."""
        text = text.replace(BUDGET, UNLIMITED if budget is None else str(budget))
        parts = (part if part in (USED, LEFT) else encode(part) for part in _NUMBERS.split(text) if part)
        return cls(tuple(filter(None, parts)), budget, encode)

    def after(self, num_tokens: int) -> "CountedText":
        """The same where so many tokens are used already."""
        return replace(self, num_before=num_tokens)

    def ids(self, num_tokens: int) -> tuple[int, ...]:
        """What it is once so many more tokens are used."""
        return tuple(token for part in self.parts for token in self._ids(part, num_tokens + self.num_before))

    def _ids(self, part: tuple[int, ...] | str, used: int) -> tuple[int, ...]:
        if not isinstance(part, str):
            return part
        if part == USED:
            return self.encode(str(used))
        return self.encode(UNLIMITED if self.budget is None else str(self.budget - used))

    @property
    def most(self) -> int:
        """How many ids it has at the most."""
        return sum(self._most(part) if isinstance(part, str) else len(part) for part in self.parts)

    def _most(self, part: str) -> int:
        if part == LEFT and self.budget is None:
            return len(self.encode(UNLIMITED))
        num_digits = MOST_DIGITS if self.budget is None else len(str(self.budget))
        return num_digits * max(len(self.encode(digit)) for digit in "0123456789")

    def may_begin_with(self, token: int) -> bool:
        """Whether an id may be its first one."""
        return bool(self.parts) and (isinstance(self.parts[0], str) or token == self.parts[0][0])
