"""What a strategy may do where thinking pauses: look at what was thought, probe what would be answered, and decide.

    def look(thought: Thought) -> Looking:
        answer = yield from probe(thought, "\\nThe answer is", 8)
        return CLOSE if answer and confidence(answer) > 0.9 else GO_ON

    closed = yield from think(prompt, template, room, t, reserve, pause=Pause(every=32), look=look)

Decisions go by log-probabilities as they are written down, so that a trace that was read from a file is replayed to
the same end.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from math import exp

from elastic_reasoning.core.brackets import closed_at
from elastic_reasoning.core.call import Call, Pause
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.room import Room
from elastic_reasoning.core.segment import INTERRUPTS, Phase, Segment
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import LOGPROB_PLACES

CLOSE_NAME = "{close}"
"""Stands in the text of a probe for what closes thinking."""


@dataclass(frozen=True, slots=True)
class Thought:
    """Thinking that has paused.

    Attributes:
        segments: of thinking so far, sampled ones and forced ones.
        num_tokens: how many of their tokens are sampled.
        limit: how many may be; `None` for no limit.
        closing: ids that would close it here.
        room: what is left of the context.
        reserve: tokens of it that are kept for what follows thinking.
        template: how the model marks thinking.
    """

    segments: tuple[Segment, ...]
    num_tokens: int
    limit: int | None
    closing: tuple[int, ...]
    room: Room
    reserve: int
    template: Template

    @property
    def ids(self) -> tuple[int, ...]:
        """All ids of it, those of forced text among them."""
        return tuple(token for segment in self.segments for token in segment.ids)


@dataclass(frozen=True, slots=True)
class Next:
    """How thinking goes on.

    Attributes:
        say: ids that are forced into it, where the context has room for them.
        close: it does not go on.
        pause: where to look next; `None` for as before. An empty one never pauses again.
    """

    say: tuple[int, ...] = ()
    close: bool = False
    pause: Pause | None = None


GO_ON, CLOSE = Next(), Next(close=True)
Looking = Generator[Call, Segment, Next]
Look = Callable[[Thought], Looking]
"""Asked wherever thinking pauses. It may yield calls that are probes, and no others."""


def probe(thought: Thought, text: str, max_tokens: int, hide: int = 0) -> Generator[Call, Segment, Segment | None]:
    """What the model would write behind a text that is forced here; it is taken back.

    Args:
        thought: where.
        text: `{close}` in it stands for what closes thinking.
        max_tokens: to sample at the most.
        hide: the text stands in the place of so many of the last ids, which come back behind it.

    Returns:
        What was sampled; `None` where the context has no room for it, or where it was interrupted.
    """
    before, close, behind = text.partition(CLOSE_NAME)
    encode = thought.template.encode
    forced = (*encode(before), *(thought.closing if close else ()), *encode(behind))
    if thought.room.limit(len(forced) + max_tokens) != len(forced) + max_tokens:
        return None
    segment = yield Call(Phase.PROBE, max_tokens, forced=((Phase.PROBE, forced),), probe=True, tail=hide)
    return None if segment.finish in INTERRUPTS else segment


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe was answered.

    Attributes:
        text: without the brackets around it; empty where one was opened and not closed.
        start, end: which of the sampled ids it takes, what closes its bracket among them.
    """

    text: str
    start: int
    end: int


def read_answer(template: Template, asked: str, segment: Segment) -> Answer:
    """Read what was sampled behind a text that may open a bracket for it: `\\boxed{`, or `\\boxed` alone."""
    ids = [token for token in segment.ids if token not in template.eos]
    text = template.decode(ids)
    start = 0 if asked.count("{") > asked.count("}") else text.find("{") + 1 if text.lstrip().startswith("{") else None
    if start is None:
        return Answer(text.strip(), 0, len(ids))
    lengths = [len(template.decode(ids[:n])) for n in range(1, len(ids) + 1)]
    first, stop = sum(length <= start for length in lengths), closed_at(text, start)
    if stop is None:
        return Answer("", first, len(ids))
    return Answer(text[start:stop].strip(), first, sum(length <= stop for length in lengths) + 1)


def no_logprobs(strategy: str) -> str:
    """Why a strategy cannot be used with an engine that gives no log-probabilities."""
    return (
        f"strategy {strategy!r} goes by log-probabilities, and the engine gives none for this request: use another "
        "strategy, or an engine that reports them (elastic doctor tells); with vLLM, leave out top_p and top_k"
    )


def logprobs_of(segment: Segment, strategy: str) -> Sequence[float]:
    """The log-probabilities of what was sampled, as they are written down.

    Raises:
        StrategyError: the engine gives none.
    """
    if segment.logprobs is None:
        raise StrategyError(no_logprobs(strategy))
    return [round(value, LOGPROB_PLACES) for value in segment.logprobs]


def confidence(logprobs: Sequence[float]) -> float:
    """The geometric mean of the probabilities of some tokens, in 0 to 1; 0 of none."""
    return exp(sum(logprobs) / len(logprobs)) if logprobs else 0.0
