"""What an engine is, and how a request is made for one."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options, Request, Sampling
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk

logger = logging.getLogger(__name__)

AnyBudget = Budget | str | Sequence[int | None]
"""A budget, or what `Budget.parse` reads: "24+20" or (24, 20)."""


class Engine(Protocol):
    """Takes walks, yields traces as they finish.

    Attributes:
        template: how its model marks thinking.
        context: tokens of prompt and completion that its model can hold; `None` for no limit.
        note: what its user should know of how it keeps budgets; empty where there is nothing to say.
    """

    @property
    def template(self) -> Template: ...

    @property
    def context(self) -> int | None: ...

    @property
    def note(self) -> str: ...

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools (JSON schemas of functions)."""

    def run(self, walks: Iterable[Walk]) -> Iterator[Trace]:
        """Bring every walk to its end. Walks may already be part of their way; they are taken as rows get free."""

    def close(self) -> None:
        """Free what it holds; it cannot run again."""


def as_messages(question: str | Sequence[Message]) -> tuple[Message, ...]:
    """A question as chat messages."""
    return ({"role": "user", "content": question},) if isinstance(question, str) else tuple(question)


def new_request(
    engine: Engine,
    question: str | Sequence[Message],
    budget: AnyBudget,
    strategy: str = DEFAULT_STRATEGY,
    options: Options | None = None,
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
        strategy: how the budget is spent, a name in `STRATEGIES`.
        options: what the strategy is told beyond the budget.
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
    options = options or Options()
    messages = find_strategy(strategy, options).edit(as_messages(question), budget)
    return Request(engine.prompt(messages, tools), budget, strategy, options, sampling or Sampling(), sample, name)


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
    return engine.run(Walk(request, engine.template, engine.context) for request in requests)


def ask(
    engine: Engine,
    question: str | Sequence[Message],
    budget: AnyBudget,
    strategy: str = DEFAULT_STRATEGY,
    options: Options | None = None,
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
        strategy: how the budget is spent, a name in `STRATEGIES`.
        options: what the strategy is told beyond the budget.
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
