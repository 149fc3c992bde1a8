"""A request's budget as plain values, for engines that are told of it beside the prompt.

    to_wire(request)      # {"thinking_budget": 512, "solution_budget": 256, "prompt_thinking": "open"}
    from_wire({"thinking_budget": 512, "solution_budget": 256, "wrap_up": "Time is up."})

The vLLM plug-in reads these names from `extra_args` (over HTTP `vllm_xargs`).
"""

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from elastic_reasoning.core.budget import UNLIMITED, Budget
from elastic_reasoning.core.errors import BudgetError, StrategyError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options, Request, Value
from elastic_reasoning.core.strategies import find_strategy, known_options
from elastic_reasoning.core.template import Thinking

THINKING, SOLUTION, STRATEGY, PROMPT = "thinking_budget", "solution_budget", "strategy", "prompt_thinking"
TOOLS, DEADLINE = "prompt_tools", "deadline_seconds"
NAMES = (THINKING, SOLUTION, DEADLINE, STRATEGY, PROMPT, TOOLS)
"""What a request says of itself; what else it may hold are options of its strategy."""
LIMITS = (THINKING, SOLUTION, DEADLINE)
"""What bounds an answer, in tokens and in seconds."""
BEGIN = (*LIMITS, STRATEGY, "min_thinking")
"""One of these makes a request budgeted. The others alone may be somebody else's."""
LONGEST_NAME = 64
"""Letters; what is longer is no misspelt name of ours."""


@dataclass(frozen=True, slots=True)
class Wire:
    """What was read.

    Attributes:
        thinking: what the sender says of the prompt's state of thinking; `None` leaves it to be found out.
        tools: whether the sender says that the prompt offers tools.
        deadline_seconds: see `Request`.
    """

    budget: Budget
    strategy: str
    options: Options
    thinking: Thinking | None
    tools: bool = False
    deadline_seconds: float | None = None


def to_wire(request: Request) -> dict[str, Value | float]:
    """The budget, deadline, strategy and options of a request; what has its default is left out."""
    values: dict[str, Value | float] = {STRATEGY: request.strategy, PROMPT: str(request.prompt.thinking)}
    for name, part in ((THINKING, request.budget.thinking), (SOLUTION, request.budget.solution)):
        if part is not None:
            values[name] = part
    if request.prompt.tools:
        values[TOOLS] = 1
    if request.deadline_seconds is not None:
        values[DEADLINE] = request.deadline_seconds
    return {**values, **find_strategy(request.strategy).restrict(request.options)}


def from_wire(values: Mapping[str, Any] | None) -> Wire | None:
    """Read what was sent; `None` where nothing of it is about a budget.

    A budget or a deadline that is absent is unlimited. Names that are not known here may be anybody's, unless they
    look misspelt.

    Raises:
        BudgetError, StrategyError, UsageError: a value is not what its name asks for.
    """
    values = values or {}
    is_ours = any(name in values for name in BEGIN)
    others = [name for name in values if name not in NAMES]
    options = known_options() if others else {}  # most requests have none
    refuse_misspelt((name for name in others if name not in options), (*NAMES, *options) if is_ours else LIMITS)
    if not is_ours:
        return None
    budget = Budget(_tokens(values, THINKING), _tokens(values, SOLUTION))
    strategy = _text(values, STRATEGY, DEFAULT_STRATEGY)
    given = {name: values[name] for name in others if name in options}
    asked = find_strategy(strategy, given)
    for name, value in given.items():
        kind = type(asked.supported_options[name])
        if type(value) is not kind:
            raise StrategyError(f"{name} {value!r}: must be {'text' if kind is str else 'a whole number'}")
    asked.check(budget, given)
    return Wire(budget, strategy, asked.restrict(given), _thinking(values), _tools(values), _seconds(values))


def refuse_misspelt(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that look like one that is known.

    Raises:
        UsageError: with the name that was meant.
    """
    known = tuple(known)
    for name in names:
        if len(name) <= LONGEST_NAME and (near := _nearest(name, known)):
            raise UsageError(f"unknown parameter {name!r}: did you mean {near[0]!r}?")


@lru_cache(4096)
def _nearest(name: str, known: tuple[str, ...]) -> list[str]:
    return difflib.get_close_matches(name, known, n=1, cutoff=0.8)


def _tokens(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    if value is None or (isinstance(value, str) and value.lower() in UNLIMITED):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BudgetError(f"{name} {value!r}: must be a whole number of tokens, 0 or more, or 'inf'")
    return value


def _seconds(values: Mapping[str, Any]) -> float | None:
    value = values.get(DEADLINE)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        raise UsageError(f"{DEADLINE} {value!r}: must be a number of seconds above 0")
    return float(value)


def _text(values: Mapping[str, Any], name: str, default: str) -> str:
    value = values.get(name, default)
    if not isinstance(value, str):
        raise UsageError(f"{name} {value!r}: must be text")
    return value


def _thinking(values: Mapping[str, Any]) -> Thinking | None:
    if PROMPT not in values:
        return None
    states = [str(state) for state in Thinking]
    if values[PROMPT] not in states:
        raise UsageError(f"{PROMPT} {values[PROMPT]!r}: must be one of {', '.join(states)}")
    return Thinking(values[PROMPT])


def _tools(values: Mapping[str, Any]) -> bool:
    value = values.get(TOOLS, 0)
    if value not in (0, 1):
        raise UsageError(f"{TOOLS} {value!r}: must be 1 where the prompt offers tools, or 0")
    return bool(value)
