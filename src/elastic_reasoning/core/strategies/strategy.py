"""What a strategy is: a generator of calls that does no I/O, and everything that others need to know of it.

A strategy yields a `Call` ("append these forced ids, then sample at most so many tokens") and is sent the
`Segment` that came back. In that segment the tokens of a delimiter are still among the ids; the next call says what
becomes of them (`tail`, `tail_phase`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.template import Message, Prompt, Template

Run = Callable[[Prompt, Budget, Template, Options, int | None], Calls]
Bounds = Literal["separate", "total", "asked", "none"]
"""What a budget holds down: each phase apart, the tokens of both, nothing (a length is asked for), or nothing."""
Line = str | tuple[int, tuple[float, ...]]
"""A line style of matplotlib: a name, or an offset with the lengths of dashes and gaps."""


def whole_budget(budget: Budget) -> Budget:
    """All of a budget makes a difference."""
    return budget


def asks_nothing(budget: Budget) -> str:
    """Nothing is asked for in the prompt."""
    return ""


def allows_grammar(options: Options) -> str:
    """A grammar for the solution forbids nothing that is forced."""
    return ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to spend a budget."""

    run: Run
    """(prompt, budget, template, options, context in tokens or None) to calls."""
    about: str = ""
    """What it does with a budget, in two or three words, to stand beside its name."""
    source: str = ""
    """Where it is published."""
    supported_options: frozenset[str] = frozenset()
    """The fields of `Options` that mean something to it."""
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
    refuses_grammar: Callable[[Options], str] = allows_grammar
    """Why the solution cannot be held to a grammar, given the options; empty where it can."""
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

    def restrict(self, options: Options) -> Options:
        """The options that mean something to it, the others at their defaults."""
        return Options(**{name: getattr(options, name) for name in self.supported_options})

    def edit(self, messages: tuple[Message, ...], budget: Budget) -> tuple[Message, ...]:
        """The messages with what the strategy asks of the model appended to the last one."""
        asked = self.ask(budget)
        if not asked:
            return messages
        last = dict(messages[-1])
        return (*messages[:-1], {**last, "content": f"{last['content']} {asked}"})
