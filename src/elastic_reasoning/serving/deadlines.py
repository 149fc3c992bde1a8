"""Answers that are complete in time: what cannot be is refused, and thinking is closed while there is time to answer.

    [progress] = deadlines.admit([walk], Promise(arrived, 2.5))     # an ApiError where that cannot be kept
    progress.tell(delta)                                            # from the walk's listener
    deadlines.release([progress])

A promise is made for the shortest answer: no thinking, and a solution as long as nearly all of them are. What time
there is beyond that is the model's to think. Thinking is closed at the last moment that leaves the solution its time at
the present load, and some more; the solution itself is cut where it would miss the deadline none the less.
"""

import asyncio
import heapq
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any

from elastic_reasoning.core.template import Prompt
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.pace import Pace
from elastic_reasoning.serving.progress import Clock, Progress, Promise

CHECK_SECONDS = (0.01, 0.05)
"""The least and the most time between two looks at what is due."""
GROWTH = 1.25
"""Thinking is closed as if so many times as many walks ran: others will come before the solution is there."""
FREE_SHARE = 8
"""An engine may let walks wait until this share (1/8) of its capacity is free."""

MOST_READ = 64
"""Prompts that are read together at the most, as far as is looked."""
LATE_SECONDS = 4.0
"""How long it is remembered that the engine, or the event loop, came late."""
MOST_RETRY_SECONDS = 60.0
"""A client is told to come again after so long at the most."""

CallLater = Callable[[float, Callable[[], None]], Any]
"""Has something called after so many seconds."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a newcomer would find; in seconds from now.

    Attributes:
        seconds: until it could be answered, hardly ever more; infinite where nobody knows.
        least_seconds: the mean of the same, if nothing else were under way.
        others_seconds: until it could break no promise made to others; 0 where it would break none.
    """

    seconds: float
    least_seconds: float
    others_seconds: float


class Deadlines:
    """The promises of one model.

    Attributes:
        under_way: walks that are, with or without a promise, in the order in which they came.
        refused: the prompt of the last request that was refused while nothing was under way: nobody learns then whether
            the model is still as slow as it was.

    Args:
        pace: what is known of the model; all walks add to it.
        capacity: walks that run at once; others wait.
        now: the clock.
        call_later: by default that of the running event loop.
    """

    def __init__(
        self, pace: Pace, capacity: int, now: Clock = time.monotonic, call_later: CallLater | None = None
    ) -> None:
        self.pace, self.capacity = pace, capacity
        self.under_way: dict[Progress, None] = {}
        self.refused: Prompt | None = None
        self._now, self._call_later = now, call_later
        self._is_awaited = False
        self._late, self._late_seen_at = 0.0, now()

    def late(self, now: float) -> float:
        """Seconds by which what was due has of late come too late, the longer ago the less."""
        return self._late * math.exp(-max(0.0, now - self._late_seen_at) / LATE_SECONDS)

    def _was_late(self, seconds: float, now: float) -> None:
        self._late, self._late_seen_at = max(self.late(now), seconds), now

    def load(self) -> int:
        """Walks that run."""
        return max(1, min(sum(one.walk.num_branches for one in self.under_way), self.capacity))

    def admit(self, walks: Sequence[Walk], promise: Promise | None = None) -> list[Progress]:
        """Take the samples of one request, which are submitted next.

        Raises:
            ApiError: 400 where the promise could never be kept, 429 where it cannot be at present.
        """
        is_queued = self._num_over(len(walks)) > 0
        waiting = (one.walk for one in islice(reversed(self.under_way), MOST_READ) if one.is_waiting)
        num_to_read = sum(len(walk.request.prompt.ids) for walk in chain(waiting, walks))
        news = [Progress(walk, num_to_read, self.pace, self.load, promise, is_queued, self._now) for walk in walks]
        if promise is not None and self.pace.is_known:  # where nothing is known, the first one teaches
            self._forget()
            try:
                self._refuse(self.outlook(news), promise)
            except ApiError:
                self.refused = None if self.under_way else walks[0].request.prompt
                raise
        self.under_way.update(dict.fromkeys(news))
        if promise is not None:
            self._await(0.0)
        return news

    def _forget(self) -> None:
        """Whoever asked for them may not have read their ends yet."""
        self.release([one for one in self.under_way if one.over_at is not None])

    def release(self, progresses: Sequence[Progress]) -> None:
        """Forget walks that are over, however they ended."""
        for one in progresses:
            if one in self.under_way and one.over_at is not None and one.promise is not None:
                self._was_late(one.over_at - one.promise.aim, one.over_at)
            self.under_way.pop(one, None)

    def _num_over(self, num_new: int) -> int:
        """How many walks must end before so many new ones can begin."""
        return len(self.under_way) + num_new - (self.capacity - self.capacity // FREE_SHARE)

    def _refuse(self, outlook: Outlook, promise: Promise) -> None:
        now = self._now()
        if now + outlook.seconds <= promise.aim and not outlook.others_seconds:
            return
        spent = now - promise.arrived
        earliest = promise.least(spent + outlook.others_seconds + outlook.seconds)
        details = {"earliest_seconds": math.ceil(earliest * 1000) / 1000} if math.isfinite(earliest) else {}
        if now + outlook.least_seconds > promise.due:
            raise ApiError(
                400,
                f"deadline_seconds {promise.seconds:g}: this model needs {spent + outlook.least_seconds:.3g} or more "
                "for the shortest answer: allow more seconds",
                code="deadline_infeasible",
                param="deadline_seconds",
                details=details,
            )
        over = outlook.others_seconds or min(earliest - promise.seconds, MOST_RETRY_SECONDS)
        raise ApiError(
            429,
            f"deadline_seconds {promise.seconds:g}: cannot be kept at present: allow more seconds, or ask again later",
            code="deadline_busy",
            param="deadline_seconds",
            headers={"Retry-After": str(max(1, math.ceil(over)))},
            details=details,
        )

    def outlook(self, news: Sequence[Progress]) -> Outlook:
        """What the samples of a new request would find, and what they would mean for others."""
        now = self._now()
        load = min(len(self.under_way) + len(news), self.capacity)
        token_seconds = self.pace.token_seconds(load, now)
        first = self.pace.first_seconds(news[0].num_to_read, load, now)
        rest = max(self._rest(one, token_seconds, now) for one in news)
        idle_token = self.pace.tokens.at(1) or 0.0
        idle = (self.pace.first.at(len(news[0].walk.request.prompt.ids)) or 0.0) + idle_token
        idle += max(self._rest(one, idle_token, now) for one in news)
        broken = [
            one.promise.due - now
            for one in self.under_way
            if one.promise is not None and self._left(one, self._least(one, token_seconds, now), now) < 0
        ]
        return Outlook(
            self._wait(len(news), token_seconds, now)
            + first * self.pace.first_share.high
            + rest * self.pace.rest_share.high
            + self.late(now),
            idle,
            max(broken, default=0.0),
        )

    def _left(self, one: Progress, needed: float, now: float) -> float:
        """Seconds that are left beside what is needed."""
        assert one.promise is not None
        return one.promise.aim - self.late(now) - needed - now

    def _least(self, one: Progress, token_seconds: float, now: float) -> float:
        """Seconds that a walk under way still needs at the least, hardly ever more."""
        needed = self._rest(one, token_seconds, now) * self.pace.rest_share.high
        if one.is_waiting:
            needed += self.pace.first_seconds(one.num_to_read, self.load(), now) * self.pace.first_share.high
        return needed

    def _rest(self, one: Progress, token_seconds: float, now: float) -> float:
        """Seconds to the end of a walk whose thinking is closed now, or has been."""
        num_tokens, turn = one.solution_tokens(), 0.0
        if one.thinks and one.rest.num_solution != 0:
            num_tokens += one.rest.num_forced
            turn = self.pace.turn_seconds(len(one.walk.request.prompt.ids), token_seconds)
            if one.closed_at is not None:
                turn = max(0.0, turn - (now - one.closed_at))
        return turn + num_tokens * token_seconds

    def _wait(self, num_new: int, token_seconds: float, now: float) -> float:
        """Seconds until so many new walks can begin, behind those that wait; infinite where they are more than fit."""
        if self._num_over(num_new) <= 0:
            return 0.0
        running = [one for one in self.under_way if not one.is_waiting]
        num_free = self.capacity - self.capacity // FREE_SHARE - len(running)
        ends = [0.0] * num_free + sorted(self._end(one, 0.0, token_seconds, now) for one in running)
        del ends[: max(0, -num_free)]
        heapq.heapify(ends)
        for one in self.under_way:
            if one.is_waiting:
                start = heapq.heappop(ends)
                heapq.heappush(ends, self._end(one, start, token_seconds, now))
        return heapq.nsmallest(num_new, ends)[-1] if num_new <= len(ends) else math.inf

    def _end(self, one: Progress, start: float, token_seconds: float, now: float) -> float:
        """Seconds from now until a walk is over that goes on, or begins, at `start`; rarely more."""
        end = start + one.tokens_left() * token_seconds
        return end if one.promise is None else min(end, max(0.0, one.promise.due - now))

    def check(self) -> float | None:
        """Close and cut what is due.

        Returns:
            Seconds until the next look; `None` where nothing is promised.
        """
        self._forget()
        now, soonest, is_needed = self._now(), CHECK_SECONDS[1], False
        token_seconds, high = self._growing_token_seconds(now), self.pace.rest_share.high
        cut_seconds = 2 * ((self.pace.turn or 0.0) + 1) * token_seconds
        for one in self.under_way:
            if one.promise is None or one.is_cut:
                continue
            is_needed = True
            rest = self._rest(one, token_seconds, now) if one.can_be_closed else 0.0
            left = self._left(one, rest * high if one.can_be_closed else cut_seconds, now)
            if left > 0:
                soonest = min(soonest, left)
            elif one.can_be_closed:
                one.close(rest)
            elif one.answers or one.rest.num_solution == 0:
                one.cut()
        return max(soonest, CHECK_SECONDS[0]) if is_needed else None

    def close(self, one: Progress) -> None:
        """Close the thinking of a walk now, although it has time."""
        now = self._now()
        one.close(self._rest(one, self._growing_token_seconds(now), now))

    def _growing_token_seconds(self, now: float) -> float:
        return self.pace.token_seconds(min(GROWTH * self.load() + 1, self.capacity), now)

    def _await(self, seconds: float) -> None:
        if not self._is_awaited:
            self._is_awaited = True
            look = partial(self._look, self._now() + seconds)
            (self._call_later or asyncio.get_running_loop().call_later)(seconds, look)

    def _look(self, due: float) -> None:
        self._is_awaited, now = False, self._now()
        self._was_late(now - due, now)
        seconds = self.check()
        if seconds is not None:
            self._await(seconds)
