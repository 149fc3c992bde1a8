"""Where one budgeted sequence stands, for an engine that shows its logits and says afterwards what it emitted."""

from collections.abc import Sequence

from elastic_reasoning.core.call import OnEos
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.trace import Phase
from elastic_reasoning.core.walk import Walk

MOST_LOOKED_AT = 128
"""Ids in which the beginning of a delimiter is looked for."""


class Row:
    """A cursor that can neither append nor take back, only say what the next token may be.

    What is forced is emitted token by token. An end of sequence cannot be discarded once it is sampled: where the
    strategy would discard it, its probability has to go to the next token of the closing delimiter instead
    (`moves_to`). When the strategy is over, an end of sequence is forced until the engine stops.

    Attributes:
        output: ids of the completion; whoever makes the row sees to it that they are all there when it is looked at.
        forced: the only id that may come next, or `None`.
        banned: ids that may not come next.
        moves_to: the id that gets the probability of every end of sequence, or `None`.

    Args:
        walk: a walk that has not begun.
        output: see above; ids that are already there are read, as those of a sequence that was preempted.
        end: the id that makes the engine stop.
    """

    def __init__(self, walk: Walk, output: list[int], end: int) -> None:
        self.output = output
        self.forced: int | None = None
        self.banned = frozenset[int]()
        self.moves_to: int | None = None
        self._cursor = Cursor(walk)
        self._end = end
        self._forced = tuple(walk.ids)
        self._num_read = 0
        self._closing = walk.template.closing_of(walk.request.prompt)
        self._solution_start: int | None = None
        self._aim()
        self._read()

    def advance(self) -> bool:
        """Read what was emitted since the last event.

        Returns:
            Whether `forced`, `banned` or `moves_to` may have changed.
        """
        num = len(self.output)
        if num == self._num_read:
            return False
        if num >= self._next or self.output[-1] in self._cursor.watch:
            self._read()
            return True
        before = self.moves_to
        if before is not None and len(self._closing.forced) > 1:
            self.moves_to = self._next_of_closing()
        return self.moves_to != before

    def _read(self) -> None:
        """Read all that was emitted, which for a sequence that was preempted may be many events."""
        ids = self.output[self._num_read :]
        num_taken = self._take(ids)
        while num_taken:
            self._num_read += num_taken
            ids = ids[num_taken:]
            num_taken = self._take(ids)
        self._aim()

    def _take(self, ids: Sequence[int]) -> int:
        """Read up to the next event and return how many ids that were; 0 if there is none."""
        call = self._cursor.walk.call
        if self._solution_start is None and not self._forced and call and call.phase is Phase.SOLUTION:
            self._solution_start = self._num_read
        if not ids:
            return 0
        if self._forced:
            num = min(len(ids), len(self._forced))
            self._forced = self._forced[num:]
            return num
        if self._cursor.done:
            return len(ids)
        num = self._cursor.until_event(ids)
        if num:
            self._forced = self._cursor.wake(ids[:num], None).forced
        return num

    def _aim(self) -> None:
        cursor, call = self._cursor, self._cursor.walk.call
        self.forced = self._forced[0] if self._forced else self._end if call is None else None
        sampling = call is not None and self.forced is None
        self.banned = cursor.banned if sampling else frozenset[int]()
        closes = call is not None and sampling and call.on_eos is OnEos.DISCARD
        self.moves_to = self._next_of_closing() if closes and not self.banned else None
        left = 1 if self.forced is not None else cursor.left
        self._next = float("inf") if left is None else self._num_read + left

    @property
    def in_solution(self) -> bool:
        """Whether what was emitted last, as far as it was read, is a token that was sampled for the solution."""
        return self._solution_start is not None and len(self.output) > self._solution_start

    def _next_of_closing(self) -> int:
        """The token that writes the closing delimiter, or goes on with it where it has begun."""
        walk = self._cursor.walk
        start = max(len(walk.ids), len(self.output) - MOST_LOOKED_AT)
        return (
            self._closing.begun(self.output[start:])[1][0] if len(self._closing.forced) > 1 else self._closing.forced[0]
        )
