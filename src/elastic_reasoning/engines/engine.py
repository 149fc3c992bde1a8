"""What an engine is, and how a request is made for one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from elastic_reasoning.budget import Budget
from elastic_reasoning.request import Options, Request, Sampling
from elastic_reasoning.strategies import find_strategy
from elastic_reasoning.template import Message, Prompt, Template
from elastic_reasoning.trace import Trace
from elastic_reasoning.walk import Walk


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

    def prompt(self, messages: Sequence[Message]) -> Prompt:
        """Chat messages to a prompt."""

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
    budget: Budget | str,
    strategy: str = "elastic",
    options: Options | None = None,
    sampling: Sampling | None = None,
    sample: int = 0,
    name: str = "",
) -> Request:
    """A request for an engine, from a question or chat messages; the strategy may edit them.

    Raises:
        BudgetError, StrategyError: as the values deserve.
    """
    budget = Budget.parse(budget) if isinstance(budget, str) else budget
    options = options or Options()
    messages = find_strategy(strategy, options).edit(as_messages(question), budget)
    return Request(engine.prompt(messages), budget, strategy, options, sampling or Sampling(), sample, name)


def generate(engine: Engine, requests: Iterable[Request]) -> Iterator[Trace]:
    """Answer requests; traces come as they finish, each with the request that it answers."""
    return engine.run(Walk(request, engine.template, engine.context) for request in requests)


def ask(
    engine: Engine,
    question: str | Sequence[Message],
    budget: Budget | str,
    strategy: str = "elastic",
    options: Options | None = None,
    sampling: Sampling | None = None,
) -> Trace:
    """Answer one question."""
    return next(generate(engine, [new_request(engine, question, budget, strategy, options, sampling)]))
