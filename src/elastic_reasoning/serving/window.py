"""Sums of the last minute."""

from collections import Counter, deque
from collections.abc import Callable

Key = tuple[str, ...]
SECONDS = 60


class Window:
    """Sums by key over the last minute, kept by the second.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._slots: deque[tuple[int, Counter[Key]]] = deque()

    def add(self, key: Key, amount: float) -> None:
        """Count something that happens now."""
        now = int(self._clock())
        if not self._slots or self._slots[-1][0] != now:
            self._slots.append((now, Counter()))
            self._forget(now)
        self._slots[-1][1][key] += amount  # type: ignore[assignment]

    def sums(self) -> Counter[Key]:
        """What was counted in the last minute."""
        self._forget(int(self._clock()))
        sums: Counter[Key] = Counter()
        for _, counts in self._slots:
            sums.update(counts)
        return sums

    def _forget(self, now: int) -> None:
        while self._slots and self._slots[0][0] <= now - SECONDS:
            self._slots.popleft()
