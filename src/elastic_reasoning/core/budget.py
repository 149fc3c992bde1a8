"""A budget: how many tokens a model may spend on thinking and on the solution.

>>> Budget.parse("1024+512")
Budget(thinking=1024, solution=512)
>>> Budget.parse((1024, 512))
Budget(thinking=1024, solution=512)
>>> str(Budget(None, 512))
'inf+512'
"""

from collections.abc import Sequence
from dataclasses import dataclass

from elastic_reasoning.core.errors import BudgetError

UNLIMITED = ("inf", "none", "unlimited")


def _checked(part: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise BudgetError(f"{part} budget {value!r}: pass a whole number of tokens, or None for no limit")
    if value < 0:
        raise BudgetError(f"{part} budget {value}: must be 0 or more tokens, or None for no limit")


@dataclass(frozen=True, slots=True)
class Budget:
    """Separate budgets in tokens; `None` means no limit.

    Raises:
        BudgetError: a part is negative or not a whole number.
    """

    thinking: int | None
    solution: int | None

    def __post_init__(self) -> None:
        _checked("thinking", self.thinking)
        _checked("solution", self.solution)

    @classmethod
    def parse(cls, text: "str | Sequence[int | None] | Budget") -> "Budget":
        """Read `"T+S"`, for example `"1024+512"`; either part may be `inf`. A pair of numbers will do, too.

        Raises:
            BudgetError: it does not have that form.
        """
        if isinstance(text, cls):
            return text
        if isinstance(text, (tuple, list)) and len(text) == 2:
            return cls(*text)
        if not isinstance(text, str):
            raise BudgetError(f"budget {text!r}: write it as Budget(1024, 512), (1024, 512) or '1024+512'")
        parts = text.strip().split("+")
        if len(parts) != 2:
            raise BudgetError(f"budget {text!r}: write it as THINKING+SOLUTION, for example 1024+512 or inf+512")
        return cls(_number(text, parts[0]), _number(text, parts[1]))

    @property
    def total(self) -> int | None:
        """Both parts together in tokens, or `None` where one is unlimited."""
        if self.thinking is None or self.solution is None:
            return None
        return self.thinking + self.solution

    def __str__(self) -> str:
        return "+".join("inf" if part is None else str(part) for part in (self.thinking, self.solution))


def _number(text: str, part: str) -> int | None:
    part = part.strip().lower()
    if part in UNLIMITED:
        return None
    try:
        return int(part)
    except ValueError:
        raise BudgetError(
            f"budget {text!r}: {part!r} is not a whole number of tokens; write for example 1024+512 or inf+512"
        ) from None
