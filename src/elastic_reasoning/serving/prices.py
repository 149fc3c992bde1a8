"""What tokens cost, exactly: an amount is a whole number of parts of which a unit of the currency has 10**12.

price = Price(input=Decimal("0.15"), output=Decimal("0.60"))
price.cost(Usage(prompt=100, completion=50)).total      # 45_000_000: 0.000045
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from msgspec import Struct

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.events import Usage

UNIT = 10**12
"""Parts of a unit of the currency: a price of 0.000001 for a million tokens is one part for each of them."""
MOST_DECIMALS = 6
MOST_PRICE = 1_000_000


def amount(value: Decimal | float) -> int:
    """An amount in parts, from what a person wrote; below a part it is cut."""
    return int((Decimal(str(value)) * UNIT).to_integral_value(ROUND_FLOOR))


def as_number(parts: int) -> float:
    """An amount as JSON has it, in units of the currency. Nothing is computed with these."""
    return parts / UNIT


def spelled(parts: int) -> str:
    """An amount as a message writes it: 0.00012, never 1.2E-4."""
    whole, rest = divmod(parts, UNIT)
    return f"{whole}.{rest:012}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request costs, in parts."""

    input: int = 0
    cached: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        return self.input + self.cached + self.output

    def to_dict(self, currency: str) -> dict[str, Any]:
        """As an answer says it."""
        parts = {"input": self.input, "cached": self.cached, "output": self.output, "total": self.total}
        return {**{name: as_number(value) for name, value in parts.items()}, "currency": currency}


class Price(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a million tokens of a model cost."""

    input: Decimal
    """Of the prompt."""
    output: Decimal
    """Of the completion: thinking and solution, sampled and forced."""
    cached: Decimal | None = None
    """Of the prompt, where the upstream says that it had them; as input if not given."""

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and 0 <= value <= MOST_PRICE and _fits(value)):
                raise UsageError(
                    f"price {name} {value}: must be 0 to {MOST_PRICE:,} for a million tokens, "
                    f"with {MOST_DECIMALS} decimals at the most"
                )

    def cost(self, usage: Usage) -> Cost:
        """What these tokens cost."""
        cached = self.input if self.cached is None else self.cached
        return Cost(
            (usage.prompt - usage.cached) * _of_one(self.input),
            usage.cached * _of_one(cached),
            usage.completion * _of_one(self.output),
        )

    def most(self, num_prompt_tokens: int, num_completion_tokens: int) -> int:
        """The most that so many tokens can cost, whatever of the prompt the upstream had."""
        dearest = max(self.input, self.cached or Decimal(0))
        return num_prompt_tokens * _of_one(dearest) + num_completion_tokens * _of_one(self.output)


def _fits(value: Decimal) -> bool:
    return value == value.quantize(Decimal(1).scaleb(-MOST_DECIMALS))


def _of_one(price: Decimal) -> int:
    """Parts for one token, from units for a million of them."""
    return int(price * (UNIT // 10**6))
