"""How a budget is spent: each strategy is a generator of calls that does no I/O.

A strategy yields a `Call` ("append these forced ids, then sample at most so many tokens") and is sent the
`Segment` that came back. Two interpreters run it: by call (`elastic_reasoning.core.walk`) and by token
(`elastic_reasoning.core.cursor`). To add a method from the literature, write one more generator and enter it in
`STRATEGIES`.

In what a strategy is sent, the tokens of a delimiter are still among the segment's ids; the next call says what
becomes of them (`tail`, `tail_phase`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import BudgetError, StrategyError, unknown
from elastic_reasoning.core.phases import Closed, Room, plain, solve_with_tools, think
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.template import Message, Prompt, Template, Thinking

Run = Callable[[Prompt, Budget, Template, Options, int | None], Calls]
Bounds = Literal["separate", "total", "asked", "none"]
"""What a budget holds down: each phase apart, the tokens of both, nothing (a length is asked for), or nothing."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to spend a budget.

    Attributes:
        run: (prompt, budget, template, options, context in tokens or None) to calls.
        honours: the fields of `Options` that mean something to it.
        ask: what it appends to the user's message, given the budget; nothing for most.
        heeds: the part of a budget that makes a difference to it, the rest put at what it does anyway.
        bounds: what the heeded budget bounds. A strategy that does not say so claims nothing.
        about: what it does with a budget, in two or three words, to stand beside its name.
    """

    run: Run
    honours: frozenset[str] = frozenset()
    ask: Callable[[Budget], str] = field(default=lambda budget: "")
    heeds: Callable[[Budget], Budget] = field(default=lambda budget: budget)
    bounds: Bounds = "none"
    about: str = ""

    def keep(self, options: Options) -> Options:
        """The options that mean something to it, the others at their defaults."""
        return Options(**{name: getattr(options, name) for name in self.honours})

    def edit(self, messages: tuple[Message, ...], budget: Budget) -> tuple[Message, ...]:
        """The messages with what the strategy asks of the model appended to the last one."""
        asked = self.ask(budget)
        if not asked:
            return messages
        last = dict(messages[-1])
        return (*messages[:-1], {**last, "content": f"{last['content']} {asked}"})


def elastic(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """Separate budgeting: t thinking tokens, then the delimiter is forced, then s solution tokens.

    Xu et al. 2025, arXiv 2505.05315.
    """
    if budget.thinking is not None and options.min_thinking > budget.thinking:
        raise StrategyError(
            f"min_thinking {options.min_thinking} is more than the thinking budget of {budget.thinking} tokens"
        )
    room = Room(context, prompt)
    closed: Closed | None = Closed(0, ())
    if prompt.thinking is not Thinking.CLOSED:
        closed = yield from think(prompt, template, options, room, budget.thinking, budget.solution or 0)
    else:
        room.demand(budget.solution or 0, "the solution budget")
    yield from solve_with_tools(prompt, template, room, closed, budget.solution)


def nothinking(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """`elastic` with t = 0: the delimiter is forced at once."""
    yield from elastic(prompt, _without_thinking(budget), template, options, context)


def _without_thinking(budget: Budget) -> Budget:
    return Budget(0, budget.solution)


def vanilla(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """Plain truncation: t + s tokens in all, wherever the delimiter falls; it is not counted."""
    yield from plain(prompt, template, Room(context, prompt), budget.total)


def unconstrained(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """No budget but the model's context."""
    yield from plain(prompt, template, Room(context, prompt), None)


def s1(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """Budget forcing: thinking is cut so that "Final Answer:" and `answer_tokens` fit into t + s.

    With `num_waits` the closing delimiter is replaced by "Wait" up to so many times, all within the one thinking
    budget. Muennighoff et al. 2025, arXiv 2501.19393.
    """
    total = budget.total
    answer_tokens = options.answer_tokens if total is None else min(options.answer_tokens, total)
    answer = template.encode(options.answer_text)
    room = Room(context, prompt)
    closed: Closed | None = Closed(0, ())
    if prompt.thinking is not Thinking.CLOSED:
        limit = None if total is None else total - answer_tokens
        wait = options.wait or ("Wait" if options.num_waits else "")
        thinking = Options(wait=wait, num_waits=options.num_waits)
        closed = yield from think(prompt, template, thinking, room, limit, len(answer) + answer_tokens)
    else:
        room.demand(len(answer) + answer_tokens, "the budget")
    yield from solve_with_tools(prompt, template, room, closed, answer_tokens, answer)


def l1_exact(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """The prompt asks for n = t + s tokens; hard cap 2n. Aggarwal & Welleck 2025, arXiv 2503.04697."""
    yield from plain(prompt, template, Room(context, prompt), None, cap=2 * _asked_length(budget))


def l1_max(prompt: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """The prompt asks for at most n = t + s tokens; hard cap `max_total`. Source as for `l1_exact`."""
    yield from plain(prompt, template, Room(context, prompt), None, cap=options.max_total)


def _asked_length(budget: Budget) -> int:
    if budget.total is None:
        raise BudgetError(f"budget {budget}: l1 asks for a length in the prompt and needs two finite parts")
    return budget.total


STRATEGIES = {
    "elastic": Strategy(
        elastic,
        frozenset({"wrap_up", "grace", "min_thinking", "wait"}),
        bounds="separate",
        about="separate budgets",
    ),
    "nothinking": Strategy(
        nothinking, frozenset({"wrap_up"}), heeds=_without_thinking, bounds="separate", about="no thinking"
    ),
    "vanilla": Strategy(vanilla, bounds="total", about="truncated"),
    "s1": Strategy(
        s1, frozenset({"wait", "num_waits", "answer_tokens", "answer_text"}), bounds="total", about="budget forcing"
    ),
    "l1-exact": Strategy(
        l1_exact,
        ask=lambda budget: f"Think for {_asked_length(budget)} tokens.",
        bounds="asked",
        about="a length asked for",
    ),
    "l1-max": Strategy(
        l1_max,
        frozenset({"max_total"}),
        ask=lambda budget: f"Think for maximum {_asked_length(budget)} tokens.",
        bounds="asked",
        about="a greatest length asked for",
    ),
    "unconstrained": Strategy(unconstrained, heeds=lambda budget: Budget(None, None), about="no budget"),
}

THINKS_FIRST = ("elastic", "s1")
"""Strategies that think before any solution, unless the prompt closes thinking: t then has no effect."""


def find_strategy(name: str, options: Options | None = None) -> Strategy:
    """The strategy of that name.

    Raises:
        StrategyError: no such strategy, or one of the options set means nothing to it.
    """
    if name not in STRATEGIES:
        raise StrategyError(unknown("strategy", name, STRATEGIES))
    if options is not None:
        check_options(options, [name])
    return STRATEGIES[name]


def check_options(options: Options, names: Sequence[str]) -> None:
    """Refuse an option that is set and means nothing to any of these strategies.

    Raises:
        StrategyError: with the strategies to which it does mean something.
    """
    default = Options()
    honoured = frozenset[str]().union(*(find_strategy(name).honours for name in names))
    for option in fields(Options):
        value = getattr(options, option.name)
        if value != getattr(default, option.name) and option.name not in honoured:
            having = ", ".join(other for other, s in STRATEGIES.items() if option.name in s.honours)
            to = " or ".join(map(repr, dict.fromkeys(names)))
            raise StrategyError(
                f"{option.name}={value!r} means nothing to strategy {to}: leave it out, or use {having}"
            )


def heeded(name: str, budget: Budget) -> tuple[Budget, Bounds]:
    """What a strategy heeds of a budget and what that bounds; nothing is claimed for one that is not known here."""
    strategy = STRATEGIES.get(name)
    return (budget, "none") if strategy is None else (strategy.heeds(budget), strategy.bounds)
