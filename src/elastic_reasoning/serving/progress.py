"""How far one walk has come, as time sees it: it tells the pace what it sees, and knows what is still to come."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from elastic_reasoning.core.cursor import Delta
from elastic_reasoning.core.trace import Finish, Phase
from elastic_reasoning.core.walk import Completion, Walk
from elastic_reasoning.serving.pace import Pace

NUM_MEASURED = 8
"""Tokens of a walk that are timed together."""
SHARE = 0.98
"""So many solutions are to be no longer than what is reserved for them."""
UNKNOWN_TOKENS = 512
"""What is reserved for a solution where neither a budget nor experience says how long it is."""

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


class Progress:
    """One walk that is submitted.

    Attributes:
        walk: what is under way.
        promise: what was promised of it, if anything.
        num_forced, most_solution: what follows where thinking ends now: tokens that are forced, and tokens that may
            be sampled; `None` for no limit.
        is_waiting: whether no token has come yet.
        thinks: whether it still thinks, as far as anybody has told.
        closed_at: when time closed its thinking; `None` if it has not.
        is_cut: whether time has cut what follows.
        num_thinking, num_solution: sampled tokens.
        answers: whether a token has come of what follows thinking.

    Args:
        walk: fresh.
        pace: of its model.
        load: tells how many walks run.
        promise: see above.
        is_queued: whether it has to wait until others are over.
        now: the clock.
    """

    def __init__(
        self,
        walk: Walk,
        pace: Pace,
        load: Callable[[], int],
        promise: Promise | None = None,
        is_queued: bool = False,
        now: Clock = time.monotonic,
    ) -> None:
        self.walk, self.promise = walk, promise
        self._pace, self._load, self._now = pace, load, now
        self._is_queued = is_queued
        call = walk.call
        self.thinks = call is not None and call.phase is Phase.THINKING
        self._most_thinking = call.max_tokens if call is not None else 0
        self.num_forced, self.most_solution = _rest(walk)
        self.is_waiting, self.is_cut, self.answers = True, False, False
        self.closed_at: float | None = None
        self.num_thinking = self.num_solution = 0
        self._began = self._measured_at = now()
        self._num_measured = 0
        self._phase: Phase | None = None
        self._expected = (0.0, 0.0)  # when thinking was closed: seconds until the next token, and a token behind it

    @property
    def can_be_closed(self) -> bool:
        """Whether it thinks, and a solution can follow at any time."""
        return self.thinks and self.closed_at is None and self.most_solution != 0

    def solution_tokens(self) -> int:
        """Tokens that its solution still needs, hardly ever more."""
        default = UNKNOWN_TOKENS if self.most_solution is None else self.most_solution
        return self._pace.solution.remaining(SHARE, self.num_solution, self.most_solution, default)

    def tokens_left(self) -> int:
        """Tokens until its end if nobody closes anything, rarely more."""
        left = self.num_forced + self.solution_tokens()
        if self.thinks and self.closed_at is None:
            default = 4 * UNKNOWN_TOKENS if self._most_thinking is None else self._most_thinking
            left += self._pace.thinking.remaining(0.9, self.num_thinking, self._most_thinking, default)
        return left

    def tell(self, delta: Delta) -> None:
        """Take what the walk's listener is told."""
        num = len(delta.ids)
        if not delta.sampled or not num:
            return
        now = self._now()
        if self.is_waiting:
            self.is_waiting = False
            if not self._is_queued:
                self._pace.see_first(len(self.walk.request.prompt.ids), now - self._began)
        if delta.phase is Phase.THINKING:
            self.num_thinking += num
        elif delta.phase is Phase.SOLUTION:
            self.num_solution += num
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
            self._pace.see_turn(now - self.closed_at)

    def close(self) -> None:
        """Close thinking: its time is needed for the solution."""
        self.closed_at = now = self._now()
        self._expected = (
            self._pace.turn_seconds(len(self.walk.request.prompt.ids)),
            self._pace.token_seconds(self._load(), now),
        )
        self.walk.interrupt(Finish.DEADLINE)

    def cut(self) -> None:
        """End what follows thinking with what there is."""
        self.is_cut = True
        self.walk.interrupt(Finish.DEADLINE)

    def end(self) -> None:
        """The walk has come to its end by itself or by time: learn from all of it."""
        if self.closed_at is not None and self.num_solution:
            turn, token_seconds = self._expected
            expected = turn + token_seconds * (self.num_forced + self.num_solution)
            if expected:
                self._pace.rest_share.see((self._now() - self.closed_at) / expected)
        elif self.num_thinking:
            self._pace.thinking.see(self.num_thinking)
        if self.num_solution:  # one that time has cut would have been longer, nobody knows by how much
            self._pace.solution.see(2 * self.num_solution if self.is_cut else self.num_solution)

    def account(self) -> dict[str, Any] | None:
        """What became of the promise, for the `elastic` object; `None` where there is none."""
        if self.promise is None:
            return None
        margin = self.promise.due - self._now()
        return {"seconds": self.promise.seconds, "kept": margin >= 0, "margin_seconds": round(margin, 4)}


def _rest(walk: Walk) -> tuple[int, int | None]:
    """What follows where thinking ends now: tokens that are forced, and tokens that may be sampled."""
    other = Walk(walk.request, walk.template)
    num_segments = len(other.segments)
    while other.call is not None and other.call.phase is Phase.THINKING:
        other.finish(Completion((), None, Finish.DEADLINE))
    num_forced = sum(len(segment.ids) for segment in other.segments[num_segments:] if not segment.sampled)
    return num_forced, 0 if other.call is None else other.call.max_tokens
