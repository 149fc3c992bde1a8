"""The interpreter by event: for an engine that samples a stretch of tokens when it is asked.

Such an engine says how it samples (`Sample`), and a cursor decides what it is asked for next: an HTTP server, vLLM
without our plug-in, a server manager. Each request runs on its own; none waits for another's thinking to end.

    async def sample(request: SampleRequest) -> AsyncIterator[SampleResult]:
        yield await server.complete(request.ids, request.max_tokens, stop=request.watch)

    await drive(walk, sample)

Whoever drives by hand, as a trainer that has one batch at a time, asks `next_request(cursor)` and wakes the cursor.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from elastic_reasoning.core.call import OnEos
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request, derived_seed
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.walk import Walk

T = TypeVar("T")
FORBIDDEN = -100.0
"""A bias of logits that forbids a token: the lowest one that servers accept."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One call to an engine that samples a stretch of tokens.

    Attributes:
        request: what is being answered.
        ids: prompt and completion so far `[n]`.
        position: how many of them are the completion's.
        max_tokens: sample at most so many; `None` for as many as the context holds.
        watch: ids after which to stop; the watched id is handed back as the last one.
        banned: ids that may not be sampled.
        raised: an id and what is added to its logit, for the one token that is asked for then; `None` for none.
        stop_texts: the delimiters that are waited for, as text, for servers that stop at no ids.
        discards_end: whether an end of sequence is taken back, and the stretch ends as if it had not been sampled.
    """

    request: Request
    ids: tuple[int, ...]
    position: int
    max_tokens: int | None
    watch: frozenset[int]
    banned: frozenset[int]
    stop_texts: tuple[str, ...]
    discards_end: bool
    raised: tuple[int, float] | None = None

    @property
    def edits(self) -> bool:
        """Whether tokens are drawn from another distribution than the model's own."""
        return bool(self.banned) or self.raised is not None

    @property
    def biases(self) -> dict[int, float]:
        """What is added to logits, by id, as far as servers know such a thing: `FORBIDDEN` for what may not come."""
        return {**dict.fromkeys(sorted(self.banned), FORBIDDEN), **dict([self.raised] if self.raised else [])}

    def after(self, ids: Sequence[int]) -> "SampleRequest":
        """What is still to be sampled once these ids have been."""
        left = None if self.max_tokens is None else self.max_tokens - len(ids)
        return replace(self, ids=(*self.ids, *ids), position=self.position + len(ids), max_tokens=left)


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What was sampled: ids, and their log-probabilities `[n]` where the engine gives them."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None


Sample = Callable[[SampleRequest], AsyncGenerator[SampleResult, None]]
"""Yields what is sampled, whole or in parts as it comes: at least one id in all. A watched id ends a part.

It is closed early, or cancelled, where the walk is interrupted: what it has not yielded by then is lost.
"""


def seed_of(request: Request, *parts: int) -> int:
    """The seed of one call, below 2**63: servers take signed numbers."""
    return derived_seed(request.sampling.seed, request.sample, *parts) >> 1


def next_request(cursor: Cursor) -> SampleRequest:
    """What to ask for next, of a cursor that is not done."""
    walk, ids = cursor.walk, cursor.ids
    assert walk.call is not None
    return SampleRequest(
        walk.request,
        (*walk.request.prompt.ids, *ids),
        len(ids),
        cursor.left,
        cursor.watch,
        cursor.banned,
        _texts(walk.call.stop),
        walk.call.on_eos is OnEos.DISCARD,
        cursor.raised,
    )


def _texts(stop: Delimiter | None) -> tuple[str, ...]:
    parts = stop.parts if isinstance(stop, AnyDelimiter) else (stop,)
    return tuple(part.text for part in parts if part is not None)


async def drive(walk: Walk, sample: Sample, listen: Listen | None = None, until: Phase | None = None) -> None:
    """Bring a walk to its end, or to where its next call samples a phase.

    It asks once for each of the cursor's events: twice, where thinking has a delimiter of one token.

    Args:
        walk: it may be interrupted from any thread: what is being sampled is then cancelled.
        sample: see there. What it raises is raised here.
        listen, until: as for `Cursor`.
    """
    cursor = Cursor(walk, listen, until)
    while not cursor.done:
        await unless_interrupted(walk, _sample_stretch(cursor, sample))
        cursor.wake((), ())


async def unless_interrupted(walk: Walk, work: Coroutine[Any, Any, T]) -> T | None:
    """What comes of some work for a walk; `None` where the walk is interrupted first: the work is cancelled then."""
    loop = asyncio.get_running_loop()
    task, interrupted = loop.create_task(work), threading.Event()

    def cancel() -> None:
        interrupted.set()
        loop.call_soon_threadsafe(task.cancel)

    walk.when_interrupted(cancel)
    try:
        await asyncio.wait([task])
    finally:
        walk.when_interrupted(None)  # the loop may be closed later
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled():
        return task.result()
    if not interrupted.is_set():
        raise asyncio.CancelledError
    return None


async def _sample_stretch(cursor: Cursor, sample: Sample) -> None:
    call, num_sampled = cursor.walk.call, 0
    async with aclosing(sample(next_request(cursor))) as parts:
        async for part in parts:
            num_sampled += len(part.ids)
            cursor.wake(part.ids, part.logprobs)
            if cursor.walk.call is not call:
                return
    if not num_sampled:
        raise EngineError("the engine has sampled nothing where it was asked for a token")
