"""Many requests at once, for engines that are asked and waited for: each request runs on its own.

`sample` is all that such an engine has to offer; a `Cursor` decides what is asked for next. No request waits for
another's thinking to end.
"""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from elastic_reasoning.core.call import OnEos
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter
from elastic_reasoning.core.request import Request, derived_seed
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk


@dataclass(frozen=True, slots=True)
class Wanted:
    """One call to an engine that samples a stretch of tokens.

    Attributes:
        request: what is being answered.
        ids: prompt and completion so far `[n]`.
        position: how many of them are the completion's.
        max_tokens: sample at most so many; `None` for as many as the context holds.
        watch: ids after which to stop; the watched id is handed back as the last one.
        banned: ids that may not be sampled.
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


@dataclass(frozen=True, slots=True)
class Sampled:
    """What came back: at least one id, and their log-probabilities `[n]` where the engine gives them."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None


def seed_of(request: Request, *parts: int) -> int:
    """The seed of one call, below 2**63: servers take signed numbers."""
    return derived_seed(request.sampling.seed, request.sample, *parts) >> 1


Sample = Callable[[Wanted], Awaitable[Sampled]]


async def run_by_events(walk: Walk, sample: Sample) -> Trace:
    """Drive a walk with one call for each of its cursor's events: two, where thinking has a delimiter of one token."""
    cursor = Cursor(walk)
    while walk.call is not None:
        wanted = Wanted(
            walk.request,
            (*walk.request.prompt.ids, *cursor.ids),
            len(cursor.ids),
            cursor.left,
            cursor.watch,
            cursor.banned,
            _texts(walk.call.stop),
            walk.call.on_eos is OnEos.DISCARD,
        )
        sampled = await sample(wanted)
        cursor.wake(sampled.ids, sampled.logprobs)
    return walk.trace()


def _texts(stop: Delimiter | None) -> tuple[str, ...]:
    parts = stop.parts if isinstance(stop, AnyDelimiter) else (stop,)
    return tuple(part.text for part in parts if part is not None)


Answer = Callable[[Walk], Awaitable[Trace]]


def run_concurrently(
    walks: Iterable[Walk], answer: Answer, loop: asyncio.AbstractEventLoop, limit: int
) -> Iterator[Trace]:
    """Traces as they finish, with at most `limit` walks under way.

    Walks are taken one by one as others end. What `answer` raises is raised here; the walks under way are cancelled
    then, and also when the caller stops listening.

    Args:
        walks: read in the caller's thread.
        answer: brings one walk to its end.
        loop: an event loop that runs in another thread.
        limit: 1 or more.
    """
    done: queue.SimpleQueue[Trace | BaseException] = queue.SimpleQueue()
    under_way: set[asyncio.Task[None]] = set()

    async def run(walk: Walk) -> None:
        try:
            done.put(await answer(walk))
        except BaseException as error:  # whoever cancels it: the caller waits for what becomes of it
            done.put(error)

    def start(walk: Walk) -> None:
        task = loop.create_task(run(walk))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    async def stop() -> None:
        for task in list(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    waiting, num_running, more = iter(walks), 0, True
    try:
        while more or num_running:
            while more and num_running < limit:
                walk = next(waiting, None)
                more = walk is not None
                if walk is not None:
                    loop.call_soon_threadsafe(start, walk)
                    num_running += 1
            if num_running:
                outcome = done.get()
                num_running -= 1
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
    finally:
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(stop(), loop).result()


class LoopThread:
    """An event loop in a thread of its own, for as long as an engine lives."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Cancel what is under way and stop the loop; it may be called twice."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
