"""When the phases of the sequences in a batch have to be closed, so that each is complete by its deadline.

Once a step, `TimeKeeper.close_due` measures the step and closes what can wait no longer: thinking, at the last moment
that leaves the solution its time, and a solution that would be late. The pace is measured, not configured: it is
whatever the load makes it.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from elastic_reasoning.core.segment import Finish
from elastic_reasoning.integrations.row import Row

NUM_STEPS, NUM_LATEST = 64, 16
"""Steps by which the pace is measured: the slower mean of the last ones and of the very last."""
FEWEST_STEPS = 4
"""Steps before which no pace is known."""
STALE_SECONDS = 10.0
"""After a pause so long, what was measured before it says nothing of the load."""
SAFETY = 1.3
"""By so much more than the mean are the steps to come taken to last: the load may grow."""
SLOW_STEPS = 2
"""Of the slowest steps lately, so many are kept: one until the next look at the clock, one until an answer is out."""
DELIVERY_SECONDS, DELIVERY_SHARE = 0.03, 0.02
"""From the engine to the client: so long, and such a share of the deadline."""
FEWEST_TOKENS = 4
"""Of a solution, be it late: one of no token answers nothing."""
LOOK_SHARE = 1 / 8
"""A row that has time left is looked at again after such a share of it, and not in every step."""
NUM_SOLUTIONS, FEWEST_SOLUTIONS, SHARE = 256, 16, 0.95
"""Solutions whose lengths are remembered, those that it takes to know anything, and how many are to have their time."""


@dataclass(slots=True, eq=False)
class Timed:
    """A row with a deadline.

    Attributes:
        row: where the sequence stands.
        at: when the answer is to be complete, by the clock.
        seconds: how long that was when the request arrived.
        look_at: when it is looked at next.
    """

    row: Row
    at: float
    seconds: float
    look_at: float = field(default=0.0, init=False)
    _num_ids: int = field(init=False)
    _is_learned: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._num_ids = len(self.row.output)

    def grew(self) -> bool:
        """Whether it has emitted anything since it was asked last."""
        before, self._num_ids = self._num_ids, len(self.row.output)
        return before < self._num_ids

    def learn(self) -> tuple[int, Finish | None] | None:
        """Length and end of its solution, once it is over and was not asked yet."""
        if self._is_learned or not self.row.is_over:
            return None
        self._is_learned = True
        return self.row.solution


class TimeKeeper:
    """Closes phases by the clock.

    Args:
        clock: seconds, the same in all processes that sample together.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0.0
        self._steps: deque[float] = deque(maxlen=NUM_STEPS)
        self._pace = self._slowest = 0.0
        self._solutions: deque[int] = deque(maxlen=NUM_SOLUTIONS)
        self._longest: int | None = None  # what solutions do not often exceed, once enough are known

    def close_due(self, batch: Sequence[Timed]) -> list[Timed]:
        """Close what can wait no longer.

        Args:
            batch: all rows with deadlines of this step, whose ids are read.

        Returns:
            Those that are closed now.
        """
        now, closed = self._clock(), []
        self._measure(now - self._last, any(timed.grew() for timed in batch))
        self._last = now
        for timed in batch:
            if now >= timed.look_at:
                slack = self._slack(timed, now)
                timed.look_at = now + max(0.0, slack) * LOOK_SHARE
                if slack <= 0 and timed.row.close():
                    closed.append(timed)
        return closed

    def _measure(self, seconds: float, is_step: bool) -> None:
        """Take note of the time since the last look, which was a step if anything was emitted in it."""
        if seconds > STALE_SECONDS:
            self._steps.clear()
        elif is_step:
            self._steps.append(seconds)
        steps = list(self._steps)
        self._pace = SAFETY * max(_mean(steps), _mean(steps[-NUM_LATEST:]))
        self._slowest = max(self._steps, default=0.0)

    def learn(self, timed: Timed) -> None:
        """Remember how long a solution was, once it is over. One that time has cut counts as one of the longest."""
        num, finish = timed.learn() or (0, None)
        if finish is Finish.DEADLINE and self._solutions:
            num = max(num, *self._solutions)
        elif finish is not Finish.EOS:
            return
        self._solutions.append(num)
        if len(self._solutions) >= FEWEST_SOLUTIONS:
            self._longest = max(FEWEST_TOKENS, sorted(self._solutions)[int(SHARE * (len(self._solutions) - 1))])

    def _slack(self, timed: Timed, now: float) -> float:
        """Seconds for which a row can go on as it does; 0 or less where it has to be closed."""
        row, left = timed.row, timed.at - now - DELIVERY_SECONDS - DELIVERY_SHARE * timed.seconds
        if row.is_over:
            return math.inf
        num_solved = row.num_solved
        if num_solved is not None and num_solved < FEWEST_TOKENS:
            return self._pace
        if len(self._steps) < FEWEST_STEPS and left > timed.seconds / 2:
            return left - timed.seconds / 2
        num_forced, num_solution = row.num_after
        lengths = [num for num in (num_solution, self._longest) if num is not None]
        solution_seconds = self._pace * min(lengths) if lengths else timed.seconds / 2
        return left - SLOW_STEPS * self._slowest - self._pace * (row.num_pending + num_forced) - solution_seconds


def _mean(seconds: list[float]) -> float:
    return sum(seconds) / max(1, len(seconds))
