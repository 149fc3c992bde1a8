"""How far one walk has come, as time sees it: it tells the pace what it sees, and knows what is still to come.

The thread that computes tells it of tokens, and an event loop asks it. Whatever is set has one of them alone to set it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from elastic_reasoning.core.deadline import AfterClosing, after_closing
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.serving.pace import Pace

DELIVERY_SECONDS = 0.02
"""Kept for an answer on its way to its client."""
MARGIN_SHARE, MOST_MARGIN_SECONDS = 0.04, 0.5
"""Kept for what nobody foresees: so much of the deadline, and seconds at the most."""
NUM_MEASURED = 8
"""Tokens of a walk that are timed together."""
SHARE = 0.98
"""So many solutions are to be no longer than what is reserved for them."""
UNKNOWN_TOKENS = 256
"""What is reserved for a solution at the most, where too few were seen to tell how long they are."""

Clock = Callable[[], float]
"""Seconds that only grow, as `time.monotonic`."""


@dataclass(frozen=True, slots=True)
class Promise:
    """When a request came, by the clock, and within how many seconds it is to be answered."""

    arrived: float
    seconds: float

    @property
    def due(self) -> float:
        """When it must be over, by the clock."""
        return self.arrived + self.seconds

    @property
    def aim(self) -> float:
        """When it is meant to be over: a client is to have all of it in time, and machines falter."""
        return self.due - DELIVERY_SECONDS - min(MARGIN_SHARE * self.seconds, MOST_MARGIN_SECONDS)

    @staticmethod
    def least(seconds: float) -> float:
        """The shortest deadline that aims at no less than so many seconds."""
        seconds += DELIVERY_SECONDS
        return min(seconds / (1 - MARGIN_SHARE), seconds + MOST_MARGIN_SECONDS)


class Progress:
    """One walk that is submitted.

    Attributes:
        walk: what is under way.
        num_to_read: prompt tokens that were to be read when it came: its own, and those of others that waited.
        promise: what was promised of it, if anything.
        is_waiting: whether no token has come yet.
        thinks: whether it still thinks, as far as anybody has told.
        closed_at: when time closed its thinking; `None` if it has not.
        is_cut: whether time has cut what follows.
        over_at: when it came to its end; `None` while it has not.
        num_thinking, num_solution: sampled tokens.
        answers: whether a token has come of what follows thinking.

    Args:
        walk: fresh.
        num_to_read: see above.
        pace: of its model.
        load: tells how many walks run.
        promise: see above.
        is_queued: whether it has to wait until others are over.
        now: the clock.
    """

    def __init__(
        self,
        walk: Walk,
        num_to_read: int,
        pace: Pace,
        load: Callable[[], int],
        promise: Promise | None = None,
        is_queued: bool = False,
        now: Clock = time.monotonic,
    ) -> None:
        self.walk, self.num_to_read, self.promise = walk, num_to_read, promise
        self._pace, self._load, self._now = pace, load, now
        self._is_queued = is_queued
        call = walk.call
        self.thinks = call is not None and call.phase is Phase.THINKING
        self._most_thinking = call.max_tokens if call is not None else 0
        self.is_waiting, self.is_cut, self.answers = True, False, False
        self.closed_at: float | None = None
        self.over_at: float | None = None
        self.num_thinking = self.num_solution = 0
        self._began = self._measured_at = now()
        self._num_measured = 0
        self._phase: Phase | None = None
        self._kept_seconds = self._token_seconds = 0.0  # as they were when thinking was closed

    @cached_property
    def rest(self) -> AfterClosing:
        """What follows where thinking ends now; not all walks are asked for it."""
        return after_closing(self.walk.request, self.walk.template)

    @property
    def can_be_closed(self) -> bool:
        """Whether it thinks, and a solution can follow at any time."""
        return self.thinks and self.closed_at is None and self.rest.num_solution != 0

    def solution_tokens(self) -> int:
        """Tokens that its solution still needs, hardly ever more."""
        lengths = self._pace.rest if self.thinks or self.closed_at is not None else self._pace.solution
        return lengths.remaining(SHARE, self.num_solution, self.rest.num_solution, UNKNOWN_TOKENS)

    def tokens_left(self) -> int:
        """Tokens until its end if nobody closes anything, rarely more."""
        left = self.rest.num_forced + self.solution_tokens()
        if self.thinks and self.closed_at is None:
            left += self._pace.thinking.remaining(0.9, self.num_thinking, self._most_thinking, 4 * UNKNOWN_TOKENS)
        return left

    def tell(self, delta: Delta) -> None:
        """Take what the walk's listener is told."""
        num = len(delta.ids)
        if not delta.sampled or not num:
            return
        now, is_told_late = self._now(), bool(self.walk.branches)  # of several thinkings, once one of them is chosen
        if self.is_waiting:
            self.is_waiting = False
            if not (self._is_queued or is_told_late):
                self._pace.see_first(self.num_to_read, now - self._began, self._load(), now)
        if delta.phase is Phase.THINKING:
            self.num_thinking += num
        elif delta.phase is Phase.SOLUTION:
            self.num_solution += num
        if is_told_late:
            return
        if delta.phase is self._phase:
            self._measure(num, now)
        else:
            self._change(delta.phase, now)

    def _measure(self, num: int, now: float) -> None:
        self._num_measured += num
        if self._num_measured >= NUM_MEASURED:
            self._pace.see_tokens(self._num_measured, now - self._measured_at, self._load(), now)
            self._measured_at, self._num_measured = now, 0

    def _change(self, phase: Phase, now: float) -> None:
        """Another phase has begun: time is taken from its first tokens on."""
        self._phase, self._measured_at, self._num_measured = phase, now, 0
        if phase not in (Phase.SOLUTION, Phase.TOOL) or self.answers:
            return
        self.thinks, self.answers = False, True
        if self.closed_at is not None:
            num_tokens = self.rest.num_forced + 1
            self._pace.see_turn(now - self.closed_at - num_tokens * self._token_seconds, self._token_seconds)

    def close(self, kept_seconds: float) -> None:
        """Close thinking, so many seconds being what the rest is expected to take."""
        self.closed_at = now = self._now()
        self._kept_seconds, self._token_seconds = kept_seconds, self._pace.token_seconds(self._load(), now)
        self.answers = self.answers or bool(self.walk.branches)  # of which nobody will be told before the end
        self.walk.interrupt(Finish.DEADLINE, Phase.THINKING)

    def cut(self) -> None:
        """End what follows thinking with what there is."""
        self.is_cut = True
        self.walk.interrupt(Finish.DEADLINE)

    def end(self) -> None:
        """The walk has come to its end by itself or by time: learn how long that took."""
        self.over_at = now = self._now()
        if self.closed_at is not None and self._kept_seconds:
            self._pace.rest_share.see((now - self.closed_at) / self._kept_seconds, now)

    def learn_lengths(self) -> None:
        """Learn from what a client has asked for. What was cut would have been longer, nobody knows by how much."""
        solution = self._pace.solution
        for segment in self.walk.segments:
            is_cut = segment.finish in (Finish.LENGTH, Finish.BOUNDARY, Finish.DEADLINE)
            if segment.phase is Phase.SOLUTION and segment.finish:
                solution.see(self.num_solution + (self.solution_tokens() if is_cut else 0))
            elif segment.phase is Phase.THINKING and is_cut:
                solution = self._pace.rest
            elif segment.phase is Phase.THINKING and segment.finish:
                self._pace.thinking.see(self.num_thinking)

    def account(self) -> dict[str, Any] | None:
        """What became of the promise, for the `elastic` object; `None` where there is none."""
        if self.promise is None:
            return None
        margin = self.promise.due - self._now()
        return {"seconds": self.promise.seconds, "kept": margin >= 0, "margin_seconds": round(margin, 4)}
