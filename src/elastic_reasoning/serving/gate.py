"""How many answers are made at once: the others wait in the order in which they came, and not too many do."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.keys import Key

LONGEST_WAIT_SECONDS = 60
"""Of those that `Retry-After` names: clients ignore longer ones."""
WEIGHT = 0.1
"""Of the newest request in the mean of how long they take."""


class Gate:
    """Lets each pass in its turn.

    Attributes:
        num_running: answers that are made.
        num_waiting: answers that wait for a place. A request of several prompts has several answers.

    Args:
        max_running: answers that are made at once.
        max_waiting: answers that may wait for a place.
        clock: seconds.
    """

    def __init__(self, max_running: int, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_running, self.max_waiting = max_running, max_waiting
        self.num_running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._of_keys: Counter[str] = Counter()
        self._mean_seconds = 1.0
        self._clock = clock

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @contextmanager
    def counted(self, key: Key) -> Iterator[None]:
        """Count a request of a key, whether it waits or is under way.

        Raises:
            ApiError: 429 where the key has as many as it may.
        """
        if key.max_concurrent and self._of_keys[key.name] >= key.max_concurrent:
            raise self._refusal(
                f"the key {key.name!r} has {key.max_concurrent} requests under way, the most that it may; "
                "wait for one of them",
                "too_many_concurrent",
            )
        self._of_keys[key.name] += 1
        try:
            yield
        finally:
            self._of_keys[key.name] -= 1
            if not self._of_keys[key.name]:
                del self._of_keys[key.name]

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Wait for a place, and hold it. Whoever is cancelled while it waits leaves the queue at once.

        Raises:
            ApiError: 429, with when to try again, where too many wait.
        """
        await self._enter()
        began = self._clock()
        try:
            yield
        finally:
            self._mean_seconds += WEIGHT * (self._clock() - began - self._mean_seconds)
            self._leave()

    async def _enter(self) -> None:
        if self.num_running < self.max_running:
            self.num_running += 1
            return
        if len(self._waiting) >= self.max_waiting:
            raise self._refusal(
                f"{self.num_running} requests are under way and {len(self._waiting)} wait, as many as may; "
                "try again a little later",
                "overloaded",
            )
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()  # the place was given in the same moment: to the next
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _leave(self) -> None:
        """Hand the place to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # nor was it cancelled a moment ago
                turn.set_result(None)
                return
        self.num_running -= 1

    def _refusal(self, message: str, code: str) -> ApiError:
        turns = (len(self._waiting) + 1) / self.max_running
        seconds = min(max(1, math.ceil(turns * self._mean_seconds)), LONGEST_WAIT_SECONDS)
        return ApiError(429, message, code=code, headers={"Retry-After": str(seconds)})
