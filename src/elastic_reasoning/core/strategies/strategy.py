"""What a strategy is: a generator of calls that does no I/O, and everything that others need to know of it.

A strategy yields a `Call` ("append these forced ids, then sample at most so many tokens") and is sent the
`Segment` that came back. In that segment the tokens of a delimiter are still among the ids; the next call says what
becomes of them (`tail`, `tail_phase`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, cast

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.request import Options, Value
from elastic_reasoning.core.siblings import Siblings
from elastic_reasoning.core.template import Message, Prompt, Template

Run = Callable[[Prompt, Budget, Template, Any, int | None], Calls]
Bounds = Literal["separate", "total", "asked", "none"]
"""What a budget holds down: each phase apart, the tokens of both, nothing (a length is asked for), or nothing."""
Line = str | tuple[int, tuple[float, ...]]
"""A line style of matplotlib: a name, or an offset with the lengths of dashes and gaps."""
ONLY_WITH = "only with"
"""In the metadata of an option: the name of another one, without which it means nothing."""


def refuses_nothing(budget: Budget, options: Any) -> None:
    """Every budget goes with every option."""


def whole_budget(budget: Budget) -> Budget:
    """All of a budget makes a difference."""
    return budget


def asks_nothing(budget: Budget) -> str:
    """Nothing is asked for in the prompt."""
    return ""


def reads_ids(options: Any) -> bool:
    """What was sampled is known by its ids alone."""
    return False


def allows_grammar(options: Any) -> str:
    """A grammar for the solution forbids nothing that is forced."""
    return ""


def branches_only(prompt: Prompt, budget: Budget, template: Template, options: Any, context: int | None) -> Calls:
    """A strategy that thinks several times: each of its branches has a strategy of its own, and it has no calls."""
    yield from ()


@dataclass(frozen=True, slots=True)
class NoOptions:
    """A strategy that can be told nothing beyond the budget."""


@cache
def _defaults(options: type[Any]) -> Mapping[str, Value]:
    return MappingProxyType({option.name: cast(Value, option.default) for option in fields(options)})


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to spend a budget."""

    run: Run = branches_only
    """(prompt, budget, template, its own options, context in tokens or None) to calls."""
    label: str = ""
    """What tables and figures call it; its name if empty."""
    about: str = ""
    """What it does with a budget, in two or three words, to stand beside its name."""
    source: str = ""
    """Where it is published."""
    options: type[Any] = NoOptions
    """What it can be told beyond the budget: a frozen dataclass of texts and of whole numbers from 0 on, each with its
    default and with its help in the docstring under it."""
    refuse: Callable[[Budget, Any], None] = refuses_nothing
    """Raises what is wrong with a budget under its own options."""
    ask: Callable[[Budget], str] = asks_nothing
    """What it appends to the user's message, given the budget."""
    effective_budget: Callable[[Budget], Budget] = whole_budget
    """The part of a budget that makes a difference to it, the rest put at what it does anyway."""
    when_closed: Callable[[Budget], Budget] | None = None
    """The part that makes a difference where the prompt closes thinking. `None` for a strategy that does not think
    first, and so does not care."""
    bounds: Bounds = "none"
    """What the effective budget bounds. A strategy that does not say so claims nothing."""
    length: Literal["", "exact", "max"] = ""
    """What a length that is asked for is to be: met, or not exceeded. The rewards of L1 read it."""
    two_phases: bool = False
    """Whether thinking and the solution are calls of their own, so that two models can share the work."""
    cuts: bool = False
    """Whether one thinking can be cut at several budgets, as plan `anytime` of training does."""
    reads_logprobs: Callable[[Any], bool] = reads_ids
    """Whether it goes by log-probabilities, given its options: an engine that gives none refuses it then."""
    counts_only: bool = False
    """Whether what comes next follows from how a call ended and from how many tokens there were, and never from what
    they say, unless its options make it pause or look: a device can then keep it by tables, as vLLM's sampler does."""
    by_chance: bool = False
    """Whether what it forces hangs on what the model says, so that nothing but the context is known to bound it."""
    refuses_grammar: Callable[[Any], str] = allows_grammar
    """Why the solution cannot be held to a grammar, given its options; empty where it can."""
    siblings: Siblings | None = None
    """How it thinks several times and chooses, in place of `run`; `None` for one thinking."""
    line: Line = "-"
    """Its line in figures."""
    marker: str = "o"
    """Its points in figures, as matplotlib names them."""

    @property
    def thinks_first(self) -> bool:
        """Whether it thinks before any solution, unless the prompt closes thinking: t then has no effect."""
        return self.when_closed is not None

    @property
    def ignores_budget(self) -> bool:
        """Whether it does the same under every budget."""
        return self.effective_budget(Budget(1, 1)) == Budget(None, None)

    @property
    def supported_options(self) -> Mapping[str, Value]:
        """What it can be told, with the defaults."""
        return _defaults(self.options)  # type: ignore[arg-type]

    def switched_on(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Of these options, those that do something: neither off nor of one that is."""
        only_with = {option.name: option.metadata.get(ONLY_WITH) for option in fields(self.options)}
        on = {name: value for name, value in values.items() if value or self.supported_options.get(name, True)}
        return {name: value for name, value in on.items() if only_with.get(name) in (None, *on)}

    def read(self, given: Mapping[str, Value]) -> Any:
        """Its own options from what was given, which must mean something to it; a number may be given as text.

        Raises:
            StrategyError: a value is not of the kind that its name asks for.
        """
        defaults = self.supported_options
        return self.options(**{name: _read(name, value, defaults[name]) for name, value in given.items()})

    def check(self, budget: Budget, given: Mapping[str, Value]) -> None:
        """Refuse a budget that it cannot spend, as it was told to.

        Raises:
            BudgetError, StrategyError: why not.
        """
        self.ask(budget)
        self.refuse(budget, self.read(given))

    def goes_by_logprobs(self, given: Mapping[str, Value]) -> bool:
        """Whether it goes by log-probabilities, as it was told to."""
        return self.reads_logprobs(self.read(given))

    def grammar_refusal(self, given: Mapping[str, Value]) -> str:
        """Why the solution cannot be held to a grammar; empty where it can."""
        return self.refuses_grammar(self.read(given))

    def restrict(self, given: Mapping[str, Value]) -> Options:
        """Of what was given, what means something to it and is not the default."""
        if not given:
            return Options()
        defaults = self.supported_options
        options = self.read({name: value for name, value in given.items() if name in defaults})
        values = {name: getattr(options, name) for name in defaults if name in given}
        return Options({name: value for name, value in values.items() if value != defaults[name]})

    def edit(self, messages: tuple[Message, ...], budget: Budget) -> tuple[Message, ...]:
        """The messages with what the strategy asks of the model appended to the last one."""
        asked = self.ask(budget)
        if not asked:
            return messages
        last = dict(messages[-1])
        return (*messages[:-1], {**last, "content": f"{last['content']} {asked}"})


def _read(name: str, value: object, default: Value) -> Value:
    if isinstance(default, str):
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        raise StrategyError(f"{name} {value!r}: must be text")
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise StrategyError(f"{name} {value!r}: must be a whole number")
    if value < 0:
        raise StrategyError(f"{name} {value}: must be 0 or more")
    return value
