"""A request's budget as plain values, for engines that are told of it beside the prompt.

    to_wire(request)      # {"thinking_budget": 512, "solution_budget": 256, "prompt_thinking": "open"}
    from_wire({"thinking_budget": 512, "solution_budget": 256, "wrap_up": "Time is up."})

The vLLM plug-in reads these names from `extra_args` (over HTTP `vllm_xargs`).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from elastic_reasoning.core.budget import UNLIMITED, Budget
from elastic_reasoning.core.delimiter import TextDelimiter
from elastic_reasoning.core.errors import BudgetError, StrategyError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options, Request
from elastic_reasoning.core.strategies import effective, find_strategy
from elastic_reasoning.core.template import Template, Thinking

THINKING, SOLUTION, STRATEGY, PROMPT = "thinking_budget", "solution_budget", "strategy", "prompt_thinking"
TOOLS = "prompt_tools"
OPTIONS = tuple(field.name for field in fields(Options))
NAMES = (THINKING, SOLUTION, STRATEGY, PROMPT, TOOLS, *OPTIONS)
BUDGETS = (THINKING, SOLUTION)
BEGIN = (*BUDGETS, STRATEGY, "min_thinking")
"""One of these makes a request budgeted. The others alone may be somebody else's."""

Value = str | int


@dataclass(frozen=True, slots=True)
class Wire:
    """What was read.

    Attributes:
        thinking: what the sender says of the prompt's state of thinking; `None` leaves it to be found out.
        tools: whether the sender says that the prompt offers tools.
    """

    budget: Budget
    strategy: str
    options: Options
    thinking: Thinking | None
    tools: bool = False


def to_wire(request: Request) -> dict[str, Value]:
    """The budget, strategy and options of a request; what has its default is left out."""
    default = Options()
    values: dict[str, Value] = {STRATEGY: request.strategy, PROMPT: str(request.prompt.thinking)}
    for name, part in ((THINKING, request.budget.thinking), (SOLUTION, request.budget.solution)):
        if part is not None:
            values[name] = part
    if request.prompt.tools:
        values[TOOLS] = 1
    for name in OPTIONS:
        if getattr(request.options, name) != getattr(default, name):
            values[name] = getattr(request.options, name)
    return values


def from_wire(values: Mapping[str, Any] | None) -> Wire | None:
    """Read what was sent; `None` where nothing of it is about a budget.

    A budget that is absent is unlimited. Names that are not known here may be anybody's, unless they look misspelt.

    Raises:
        BudgetError, StrategyError, UsageError: a value is not what its name asks for.
    """
    values = values or {}
    is_ours = any(name in values for name in BEGIN)
    for name in values:
        near = difflib.get_close_matches(name, NAMES if is_ours else BUDGETS, n=1, cutoff=0.8)
        if near and name not in NAMES:
            raise UsageError(f"unknown parameter {name!r}: did you mean {near[0]!r}?")
    if not is_ours:
        return None
    budget = Budget(_tokens(values, THINKING), _tokens(values, SOLUTION))
    strategy = _text(values, STRATEGY, DEFAULT_STRATEGY)
    given: dict[str, Any] = {name: _option(values, name) for name in OPTIONS if name in values}
    options = Options(**given)
    find_strategy(strategy, options).ask(budget)
    if budget.thinking is not None and options.min_thinking > budget.thinking:
        raise StrategyError(f"min_thinking {options.min_thinking} is more than {THINKING} {budget.thinking}")
    return Wire(budget, strategy, options, _thinking(values), _tools(values))


def one_pass(options: Options) -> bool:
    """Whether an engine that cannot take back a token can honour these."""
    return not (options.wait or options.num_waits)


def most_tokens(request: Request, template: Template, context: int | None = None) -> int | None:
    """The most tokens that a completion can have, forced ones among them; `None` where nothing tells."""
    room = None if context is None else context - len(request.prompt.ids)
    return min((bound for bound in (_budgeted(request, template), room) if bound is not None), default=None)


def _budgeted(request: Request, template: Template) -> int | None:
    """What the budget and the delimiters come to; `None` where the budget does not tell."""
    if template.tools_of(request.prompt):  # no budget cuts a tool call
        return None
    budget, bounds = effective(request.strategy, request.budget)
    if bounds not in ("separate", "total") or budget.total is None:
        return None
    options, opened = request.options, request.prompt.thinking is not Thinking.ABSENT
    texts = (options.wrap_up, options.answer_text if request.strategy == "s1" else "")
    forced = sum(len(template.encode(text)) for text in texts)
    opening, closing = len(template.opening.forced), template.closing.most_forced
    if request.strategy == "vanilla":  # the model writes the delimiters: those of plain text perhaps letter by letter
        opening, closing = (
            len(d.text.encode()) if isinstance(d, TextDelimiter) else len(d.ids)
            for d in (template.opening, template.closing)
        )
    return budget.total + forced + closing + (0 if opened else opening)


def _tokens(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    if value is None or (isinstance(value, str) and value.lower() in UNLIMITED):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BudgetError(f"{name} {value!r}: must be a whole number of tokens, 0 or more, or 'inf'")
    return value


def _text(values: Mapping[str, Any], name: str, default: str) -> str:
    value = values.get(name, default)
    if not isinstance(value, str):
        raise UsageError(f"{name} {value!r}: must be text")
    return value


def _option(values: Mapping[str, Any], name: str) -> Value:
    value = values[name]
    if isinstance(getattr(Options, name), str):
        return _text(values, name, "")
    if isinstance(value, bool) or not isinstance(value, int):
        raise StrategyError(f"{name} {value!r}: must be a whole number")
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
