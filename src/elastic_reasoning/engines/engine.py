"""What an engine is, and how a request is made for one."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Request, Sampling, Value
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.flow import Flow
from elastic_reasoning.untrusted.own_strategies import strategy_name

logger = logging.getLogger(__name__)

AnyBudget = Budget | str | Sequence[int | None]
"""A budget, or what `Budget.parse` reads: "24+20" or (24, 20)."""


class Engine(Protocol):
    """Takes walks at any time, tells of their tokens as they come, and hands them back.

    Attributes:
        template: how its model marks thinking.
        context: tokens of prompt and completion that its model can hold; `None` for no limit.
        note: what its user should know of how it keeps budgets; empty where there is nothing to say.
        capacity: walks worth having under way at once.
    """

    @property
    def template(self) -> Template: ...

    @property
    def context(self) -> int | None: ...

    @property
    def note(self) -> str: ...

    @property
    def capacity(self) -> int: ...

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools (JSON schemas of functions)."""

    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Take walks, from any thread, whatever is under way. All of one call are there before any of them begins.

        Args:
            walks: fresh or part of their way.
            listen: told of every token, in the thread that computes.
            until: hand walks back where their next call samples this phase.

        Returns:
            A future for each, resolved in the thread that computes. Cancelling one gives up its walk. What fails the
            engine, or the listener, is its exception; what fails the walk alone is the walk's `error`.

        Raises:
            BusyError: as many walks wait as the engine lets wait; none of these was taken.
            EngineError: the engine is closed.
        """

    def close(self) -> None:
        """Give up what is under way and free what it holds; it may be called twice."""


async def answer(engine: Engine, walk: Walk, listen: Listen | None = None, until: Phase | None = None) -> Walk:
    """Bring one walk to its end within an event loop, beside others; cancelling gives it up.

    Args:
        engine, walk, listen, until: as for `Engine.submit`; the listener is called in the thread that computes.

    Raises:
        BusyError: as many walks wait as the engine lets wait.
        EngineError: the engine cannot go on.
    """
    [future] = engine.submit([walk], listen, until)
    return await asyncio.wrap_future(future)


def run(engine: Engine, walks: Iterable[Walk], listen: Listen | None = None) -> Iterator[Trace]:
    """Bring many walks to their ends.

    The engine is given as many as it has the capacity for in one call, and another one from within the future of each
    that is over: which walks run together does not hang on how fast the traces are read, unless they pile up.

    Args:
        engine: what answers them.
        walks: taken one by one, as there is room, in the thread that computes.
        listen: as for `Engine.submit`.

    Yields:
        Traces as they finish. Walks that are under way when the caller stops are given up, and the engine has let go
        of them by then.

    Raises:
        EngineError: the engine cannot go on.
    """
    flow = Flow(engine, walks, listen)
    try:
        flow.fill(first=True)
        while flow.wait_for_one():
            yield flow.get().result().trace()
            flow.fill()
    finally:
        flow.stop()


def as_messages(question: str | Sequence[Message]) -> tuple[Message, ...]:
    """A question as chat messages."""
    return ({"role": "user", "content": question},) if isinstance(question, str) else tuple(question)


def new_request(
    engine: Engine,
    question: str | Sequence[Message],
    budget: AnyBudget,
    strategy: str = DEFAULT_STRATEGY,
    options: Mapping[str, Value] | None = None,
    sampling: Sampling | None = None,
    sample: int = 0,
    name: str = "",
    tools: Sequence[Message] = (),
) -> Request:
    """A request for an engine, from a question or chat messages; the strategy may edit them.

        requests = [new_request(engine, question, "512+256", name=str(n)) for n, question in enumerate(questions)]
        for trace in generate(engine, requests):
            print(trace.request.name, trace.solution_text)

    Args:
        engine: what will answer it; its tokenizer makes the prompt.
        question: text, or chat messages as {"role": ..., "content": ...}.
        budget: tokens for thinking and for the solution, as "24+20", (24, 20) or Budget(24, 20); None is no limit.
        strategy: how the budget is spent, a name in `STRATEGIES`, or one in a file of your own, as my.py:patient.
        options: what the strategy is told beyond the budget, as {"grace": 16}.
        sampling: how tokens are drawn.
        sample: which of several samples of one prompt this is.
        name: your own name for it, handed back with the trace.
        tools: what the model may call, as JSON schemas of functions.

    Raises:
        BudgetError: it is no budget.
        StrategyError: an unknown strategy, or one that cannot spend such a budget or honour such options.
        TemplateError: the chat template refuses the messages, or writes no tools.
    """
    budget = Budget.parse(budget)
    strategy = strategy_name(strategy)
    spent = find_strategy(strategy, options)
    told = spent.restrict(options or {})
    prompt = engine.prompt(spent.edit(as_messages(question), budget), tools)
    return Request(prompt, budget, strategy, told, sampling or Sampling(), sample, name)


def generate(engine: Engine, requests: Iterable[Request]) -> Iterator[Trace]:
    """Answer requests together.

        for trace in generate(engine, [new_request(engine, question, "24+20") for question in questions]):
            print(trace.error or trace.solution_text)

    Args:
        engine: what answers them.
        requests: taken one by one, as there is room.

    Yields:
        Traces as they finish, not in the order of the requests; `trace.request` is the one that each answers. One
        request that cannot be run ends none of the others: its trace has an `error`, and no tokens.

    Raises:
        EngineError: the engine itself cannot go on.
    """
    return run(engine, (Walk(request, engine.template, engine.context) for request in requests))


def ask(
    engine: Engine,
    question: str | Sequence[Message],
    budget: AnyBudget,
    strategy: str = DEFAULT_STRATEGY,
    options: Mapping[str, Value] | None = None,
    sampling: Sampling | None = None,
    tools: Sequence[Message] = (),
) -> Trace:
    """Answer one question.

        engine = load("mini-e1")
        trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "16+8")
        trace.thinking_text, trace.solution_text, trace.budget_hit

    Args:
        engine: what answers, as from `load`.
        question: text, or chat messages as {"role": ..., "content": ...}.
        budget: tokens for thinking and for the solution, as "24+20", (24, 20) or Budget(24, 20); None is no limit.
        strategy: how the budget is spent, a name in `STRATEGIES`, or one in a file of your own, as my.py:patient.
        options: what the strategy is told beyond the budget, as {"grace": 16}.
        sampling: how tokens are drawn; at temperature 1 if not given.
        tools: what the model may call, as JSON schemas of functions.

    Returns:
        What became of it. A request that cannot be run, such as one that does not fit the model's context, has no
        tokens but an `error`, which is logged as a warning; `trace.raise_for_error()` makes an exception of it.

    Raises:
        BudgetError: it is no budget.
        StrategyError: an unknown strategy, or one that cannot spend such a budget or honour such options.
        EngineError: the engine itself cannot go on.
    """
    request = new_request(engine, question, budget, strategy, options, sampling, tools=tools)
    trace = next(generate(engine, [request]))
    if trace.error is not None:
        logger.warning("the request could not be run: %s", trace.error)
    return trace
