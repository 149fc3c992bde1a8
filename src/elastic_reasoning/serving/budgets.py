"""Budgets as clients say them, and what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.serving.asked import Limits
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.errors import bad_request

NAMES = {"thinking": "thinking_budget", "solution": "solution_budget", "max_tokens": "max_tokens"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Tokens for a request, and where they come from."""

    budget: Budget
    sources: Mapping[str, str]
    """For each part of the budget, what it follows from: {"thinking": "reasoning_effort=high (budgets.yaml)"}."""


def read_limits(body: Mapping[str, Any], dialect: str) -> Limits:
    """What a body says of limits, under whatever names.

    Args:
        body: of the request.
        dialect: chat, completions, responses or messages.

    Raises:
        ApiError: 400 where a value cannot be, or two names disagree.
    """
    found: dict[str, Any] = {}
    for part, name in NAMES.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise bad_request(f"{name} {value!r}: must be a whole number of tokens, 0 or more", name)
        found[part] = value
    return Limits(**found, names={part: NAMES[part] for part in found})


def resolve(limits: Limits, policy: ModelConfig, room: int | None) -> Plan:
    """The budget of a request.

    Args:
        limits: what the client asks for.
        policy: defaults and ceilings of the model.
        room: tokens that fit the context behind the prompt; `None` for no limit.

    Raises:
        ApiError: 400 where what is asked for is above a ceiling, or does not fit.
    """
    default = policy.default
    thinking = limits.thinking if limits.thinking is not None else default.thinking
    solution = limits.solution if limits.solution is not None else default.solution
    names = {part: limits.names.get(part, "default") for part in ("thinking", "solution")}
    return Plan(Budget(thinking, solution), names)
