"""One model thinks, another writes the solution: the exchange by which the E1 paper tells what training changed.

    engine = SwapEngine(thinking=load("mini"), solution=load("mini-e1"))
    trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "24+20")

The thinking model's part ends where the closing delimiter stands, sampled or forced; the other one reads the prompt and
all of that as its own. Tool calls belong to the phase in which they are made. A token's log-probability is that of the
model that sampled it. Draws are keyed by position, so that a model that is swapped with itself writes what it writes
alone, and requests may share (`elastic_reasoning.engines.sharing`).

No request waits for another's thinking to end: a walk is handed over as soon as its own thinking is closed. Both
models compute at the same time. What is unavoidable is that the solution model reads the prompt and the thinking again.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from elastic_reasoning.core.delimiter import Delimiter
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.errors import EngineError, StrategyError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.strategies import find_strategy, names_of
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.job import Job, lent_by

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

    @property
    def capacity(self) -> int:
        """As many as either can be busy with."""
        engines = {id(engine): engine for engine in (self.thinking, self.solution)}
        return sum(engine.capacity for engine in engines.values())

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Have the first engine bring walks to their solutions, and the second one to their ends.

        A walk of a strategy without two phases fails.
        """
        jobs = [Job(walk, listen, until) for walk in walks]
        thinking, solving = list[Job](), list[Job]()
        for job in jobs:
            if job.walk.call is not None and not find_strategy(job.walk.request.strategy).two_phases:
                job.walk.fail(_refusal(job.walk.request.strategy))
            solves = any(step.call.phase is Phase.SOLUTION for step in job.walk.steps)
            (solving if solves or job.walk.call is None else thinking).append(job)
        if thinking:
            with lent_by(None):  # both models compute at the same time
                futures = self.thinking.submit([job.walk for job in thinking], listen, Phase.SOLUTION)
            for job, future in zip(thinking, futures, strict=True):
                future.add_done_callback(partial(self._thought, job))
        for job in solving:
            self._solve(job)
        return [job.future for job in jobs]

    def close(self) -> None:
        """Close both."""
        self.thinking.close()
        self.solution.close()

    def _thought(self, job: Job, thought: Future[Walk]) -> None:
        error = thought.exception()
        if error is None and job.until is not Phase.SOLUTION:
            self._solve(job)
        else:
            job.finish(error)

    def _solve(self, job: Job) -> None:
        if job.walk.call is None:
            return job.finish()
        try:
            with lent_by(None):
                [solved] = self.solution.submit([job.walk], job.listen, job.until)
        except EngineError as error:
            job.finish(error)
        else:
            solved.add_done_callback(lambda solved: job.finish(solved.exception()))


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
