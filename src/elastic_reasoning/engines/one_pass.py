"""A whole completion, sampled in one pass by an engine that has our plug-in, as the stretches that a cursor asks for.

    if job.in_one_pass:
        await drive_one_pass(job.walk, parts, by_call, job.listen)

The same driver thus moves a walk whether its budget is kept by the server or by calls, and a walk that is interrupted
goes on by calls from what has come.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from elastic_reasoning.core.deadline import AfterClosing, after_closing
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.drive import Sample, SampleRequest, SampleResult, drive
from elastic_reasoning.core.segment import INTERRUPTS, Finish, Phase
from elastic_reasoning.core.walk import Walk


class BrokenBudgetError(Exception):
    """A completion is not what its budget asks for."""


class BrokenOffError(Exception):
    """No more comes of a completion: what follows is to be asked for by calls."""


async def drive_one_pass(
    walk: Walk, parts: AsyncGenerator[SampleResult, None], by_call: Sample, listen: Listen | None
) -> None:
    """Bring a walk to its end by one completion, or, where it is interrupted or that breaks off, by calls from there.

    Args:
        walk: one that has not begun.
        parts: the completion as it comes: every id, forced ones among them. It may raise `BrokenOffError`.
        by_call: samples what it does not hold.
        listen: as for `drive`.

    Raises:
        BrokenBudgetError: the completion is not what the budget asks for.
    """
    completion = OnePass(walk, parts, by_call)
    await drive(walk, completion.sample, listen)
    completion.check_end()


class OnePass:
    """Answers what a cursor asks for from one completion; arguments as for `drive_one_pass`."""

    def __init__(self, walk: Walk, parts: AsyncGenerator[SampleResult, None], by_call: Sample) -> None:
        self._walk, self._parts, self._by_call = walk, parts, by_call
        self._ids: list[int] = []
        self._logprobs: list[float] | None = []
        self._is_left = self._is_closed = False  # closed: by the other side, which has kept its deadline
        self._after = None
        if walk.request.deadline_seconds is not None:
            self._after = after_closing(walk.request, walk.template)

    async def sample(self, request: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        """See `Sample`.

        Raises:
            BrokenBudgetError: the completion is not what the budget asks for.
        """
        if not self._is_closed and any(step.completion.finish is Finish.DEADLINE for step in self._walk.steps):
            await self._leave()
        given: list[int] = []
        try:
            if not self._is_left:
                async with aclosing(self._read(request)) as parts:
                    async for part in parts:
                        given += part.ids
                        yield part
                return
        except asyncio.CancelledError:  # the walk is interrupted, and needs no more of this
            await self._leave()
            raise
        except BrokenOffError:
            await self._leave()
        rest = request.after(given)
        if rest.max_tokens != 0:
            async with aclosing(self._by_call(rest)) as parts:
                async for part in parts:
                    yield part

    async def _leave(self) -> None:
        self._is_left = True
        await self._parts.aclose()

    async def _read(self, request: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        start = request.position
        while len(self._ids) <= start:
            await self._more()
        forced = list(request.ids[len(request.ids) - start :])
        if self._ids[:start] != forced:
            place = next(n for n in range(start) if self._ids[n] != forced[n])
            raise BrokenBudgetError(f"id {self._ids[place]} at {place}, where {forced[place]} was to be")
        most = request.max_tokens
        while most is None or start < request.position + most:
            while len(self._ids) <= start:
                await self._more()
            stop = len(self._ids) if most is None else min(len(self._ids), request.position + most)
            watched = (n + 1 for n in range(start, stop) if self._ids[n] in request.watch)
            stop = next(watched, stop)
            if self._after is not None:
                stop = self._before_close(self._after, request, start, stop)
                if stop == start and not self._is_closed:
                    await self._more()
                    continue
            logprobs = None if self._logprobs is None else tuple(self._logprobs[start:stop])
            yield SampleResult(tuple(self._ids[start:stop]), logprobs)
            start = stop

    def _before_close(self, after: AfterClosing, request: SampleRequest, start: int, stop: int) -> int:
        """Where those of the next ids end that were sampled, if the other side has kept its deadline behind them.

        The walk is told of it. What may turn out to be forced is held back until more has come.
        """
        walk = self._walk
        stop_at = walk.call.stop if walk.call is not None else None
        is_banned = stop_at is not None and stop_at.watch <= request.banned
        num_banned = request.position + (request.max_tokens or 0) - start if is_banned else 0
        closed = after.found(walk, self._ids, start, num_banned)
        if closed is not None and closed < stop:
            self._is_closed = True
            walk.interrupt(Finish.DEADLINE)
            return closed
        if walk.call is None or walk.call.phase is not Phase.THINKING:
            return stop
        return max(start, min(stop, len(self._ids) - after.begun(walk, self._ids)))

    async def _more(self) -> None:
        """Wait for more of the completion."""
        part = await anext(self._parts, None)
        if part is None:
            raise BrokenBudgetError(f"the {len(self._ids)} ids end within a call")
        self._ids += part.ids
        if part.logprobs is None:
            self._logprobs = None
        elif self._logprobs is not None:
            self._logprobs += part.logprobs

    def check_end(self) -> None:
        """Refuse a completion that goes on where the walk is over, but for ends of sequence, which make it stop.

        One that somebody has interrupted may hold more: what comes together is read together.

        Raises:
            BrokenBudgetError: it goes on.
        """
        walk = self._walk
        beyond = self._ids[len(walk.ids) :]
        is_cut = bool(walk.steps) and walk.steps[-1].completion.finish in INTERRUPTS
        if not (self._is_left or is_cut) and walk.error is None and not set(beyond) <= walk.template.eos:
            raise BrokenBudgetError(f"{len(beyond)} ids follow the end of strategy {walk.request.strategy!r}")
