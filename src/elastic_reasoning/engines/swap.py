"""One model thinks, another writes the solution: the exchange by which the E1 paper tells what training changed.

    engine = SwapEngine(thinking=load("mini"), solution=load("mini-e1"))
    trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "24+20")

The thinking model's part ends where the closing delimiter stands, sampled or forced; the other one reads the prompt and
all of that as its own. Tool calls belong to the phase in which they are made. A token's log-probability is that of the
model that sampled it. Draws are keyed by position, so that a model that is swapped with itself writes what it writes
alone, and `SharingEngine` may be put around the whole.

No request waits for another's thinking to end: a walk is handed over as soon as its own thinking is closed and the
solution model has a row for it. Two models in this process take turns, though: while the solution model fills its free
rows, it is the thinking model that computes. Servers and vLLM compute at the same time. What is unavoidable is that
the solution model reads the prompt and the thinking again.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

from elastic_reasoning.core.call import Call
from elastic_reasoning.core.delimiter import Delimiter
from elastic_reasoning.core.errors import EngineError, StrategyError
from elastic_reasoning.core.strategies import find_strategy, names_of
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.trace import Phase, Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine

PROBE = "What is 12 + 30?\n\n  Answer in one word, e.g. `\\boxed{x}`: naïve 数."
HOW_TO_MEND = "swap models that share one tokenizer and chat template, such as a model and what was trained from it"


class SwapEngine:
    """An engine of two: the first thinks, the second writes the solution.

    Args:
        thinking: makes everything up to the closing delimiter.
        solution: makes everything after it; may be the same engine.

    Raises:
        EngineError: they do not agree on delimiters, ends of sequence, vocabulary or prompts.
    """

    def __init__(self, thinking: Engine, solution: Engine) -> None:
        self.thinking = thinking
        self.solution = solution
        found = next(_differences(thinking.template, solution.template), None)
        if found:
            raise EngineError(f"the models cannot be swapped: {found}; {HOW_TO_MEND}")
        self.prompt([{"role": "user", "content": PROBE}])

    @property
    def template(self) -> Template:
        """That of both."""
        return self.thinking.template

    @property
    def context(self) -> int | None:
        """The shorter one."""
        contexts = [engine.context for engine in (self.thinking, self.solution) if engine.context is not None]
        return min(contexts, default=None)

    @property
    def note(self) -> str:
        """What either has to say."""
        notes = {"thinking": self.thinking.note, "solution": self.solution.note}
        return "; ".join(f"{phase}: {note}" for phase, note in notes.items() if note)

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to the prompt of both models.

        Raises:
            EngineError: their chat templates make different prompts of these messages.
        """
        first, second = self.thinking.prompt(messages, tools), self.solution.prompt(messages, tools)
        if first != second:
            ours, theirs = (f"{self.template.decode(p.ids)!r} (thinking {p.thinking})" for p in (first, second))
            raise EngineError(f"the models' prompts differ, {ours} and {theirs}: {HOW_TO_MEND}")
        return first

    def run(self, walks: Iterable[Walk]) -> Iterator[Trace]:
        """Bring every walk to its end. A walk of a strategy without two phases fails."""
        with closing(self._thought(walks)) as thought:
            yield from self.solution.run(thought)

    def close(self) -> None:
        """Close both."""
        self.thinking.close()
        self.solution.close()

    def _thought(self, walks: Iterable[Walk]) -> Generator[Walk]:
        """Walks that have thought, or that are over, as soon as they are."""
        under_way: dict[int, _UpToSolution] = {}

        def begin() -> Iterator[_UpToSolution]:
            for walk in walks:
                if walk.call is not None and not find_strategy(walk.request.strategy).two_phases:
                    walk.fail(_refusal(walk.request.strategy))
                part = _UpToSolution(walk)
                under_way[id(part.request)] = part
                yield part

        for trace in self.thinking.run(cast(Iterable[Walk], begin())):
            yield under_way.pop(id(trace.request)).walk


class _UpToSolution:
    """A walk as the thinking model's engine sees it: over where the solution begins.

    Attributes:
        walk: what it is a view of.
        request: one of its own, by which its trace is told from others.
    """

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.request = replace(walk.request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.walk, name)

    @property
    def call(self) -> Call | None:
        calls = (*(step.call for step in self.walk.steps), self.walk.call)
        return None if any(call and call.phase is Phase.SOLUTION for call in calls) else self.walk.call

    @property
    def steps(self) -> list[Any]:
        """Never empty: a walk without steps is one that an engine may answer whole, in one pass."""
        return [None, *self.walk.steps]

    def trace(self) -> Trace:
        return replace(self.walk.trace(), request=self.request)


def check_swap(strategies: Iterable[str]) -> None:
    """Refuse strategies that do not have two phases.

    Raises:
        StrategyError: naming the first of them.
    """
    for name in strategies:
        if not find_strategy(name).two_phases:
            raise StrategyError(_refusal(name))


def _refusal(strategy: str) -> str:
    return (
        f"strategy {strategy!r} leaves it to one model whether and when thinking ends, so that there are no phases to "
        f"swap: use {', '.join(names_of(lambda strategy: strategy.two_phases))}"
    )


def _differences(one: Template, other: Template) -> Iterator[str]:
    """In what two models' templates differ, the first thing first."""
    for name in ("opening", "closing"):
        ours, theirs = (_spelling(getattr(template, name)) for template in (one, other))
        if ours != theirs:
            yield f"the {name} delimiters are {ours} and {theirs}"
    if one.eos != other.eos:
        yield f"the ends of sequence are {sorted(one.eos)} and {sorted(other.eos)}"
    if one.num_tokens != other.num_tokens:
        yield f"the vocabularies have {one.num_tokens} and {other.num_tokens} tokens"
    vocabulary = range(min(one.num_tokens, other.num_tokens))
    if one.decode(vocabulary) != other.decode(vocabulary):
        pairs = ((token, one.decode([token]), other.decode([token])) for token in vocabulary)
        token, ours, theirs = next((pair for pair in pairs if pair[1] != pair[2]), (0, "one text", "another"))
        yield f"id {token} is {ours!r} and {theirs!r}"
    if one.encode(PROBE) != other.encode(PROBE):
        yield f"{PROBE!r} is {list(one.encode(PROBE))} and {list(other.encode(PROBE))}"


def _spelling(delimiter: Delimiter) -> str:
    return f"{delimiter.text!r} {list(delimiter.ids)}"
