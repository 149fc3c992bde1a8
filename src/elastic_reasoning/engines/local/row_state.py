"""Where the rows of a batch stand, on the host: arrays over rows, and what has been drawn.

number = num_steps
state.advance(num_rows)  # as a step is launched
events = state.take(flight)  # as what it drew is known, then or later
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.engines.local.token_sets import TokenSets
from elastic_reasoning.engines.local.transfer import ToHost, to_device

UNLIMITED = 2**62
POSITION, KNOWN, BAN, LEFT, WATCH, RAISED, AMOUNT, SINCE, STRIDE = range(9)
"""For each row: the column that is fed next; the first column that is not known yet; the set of ids that cannot be
drawn; how many may still be drawn; the set of ids that are an event; the id whose logit is raised, and by how much; the
first step that counts for it; and 1, or 0 where no row is."""
PARTS = 2**20
"""An amount that is added to a logit is kept as so many parts of a nat."""
NO_TOKEN = -1


@dataclass(frozen=True, slots=True)
class Flight:
    """A step that the device may still be at.

    Attributes:
        number: of the step.
        columns: in which its tokens are put `[rows]`.
        free: rows whose token was not forced `[rows]`.
        drawn: ids and log-probabilities `[rows]`.
    """

    number: int
    columns: NDArray[np.int64]
    free: NDArray[np.bool_]
    drawn: ToHost


class RowState:
    """The rows of a batch.

    Attributes:
        table: what `POSITION` and the others are of each row `[9, max_rows]`.
        banned: sets of ids that cannot be drawn.
        waited_seconds: how long the host has waited for what a step drew.

    Args:
        max_rows: rows at the most.
        num_tokens: ids that may be drawn.
    """

    def __init__(self, max_rows: int, num_tokens: int) -> None:
        self.table = np.zeros((STRIDE + 1, max_rows), np.int64)
        self.banned = TokenSets(num_tokens)
        self.waited_seconds = 0.0
        self._watched = TokenSets(num_tokens)
        self._ids = np.zeros((0, 0), np.int64)
        self._logprobs = np.zeros((0, 0), np.float32)

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room for what so many rows draw in so many columns."""
        slots, columns = self._ids.shape
        more = ((0, num_slots - slots), (0, num_columns - columns))
        self._ids, self._logprobs = np.pad(self._ids, more), np.pad(self._logprobs, more)

    def begin(self, row: int, num_fed: int, num_ids: int, step: int) -> None:
        """A sequence of so many ids, of which so many have been fed, is there from that step on."""
        self.table[STRIDE, row] = 1
        self.go_on(row, num_fed, num_ids, step)

    def end(self, row: int) -> None:
        """Nobody is there: the row is fed what is in its first column, and has no events."""
        self.table[:, row] = 0
        self.table[RAISED, row], self.table[LEFT, row] = NO_TOKEN, UNLIMITED

    def go_on(self, row: int, position: int, known: int, step: int) -> None:
        """Feed from that column on with that step; what a step before it draws does not count."""
        self.table[[POSITION, KNOWN, SINCE], row] = position, known, step

    def aim(self, row: int, cursor: Cursor) -> None:
        """Write down what a row's cursor waits for."""
        token, amount = cursor.raised or (NO_TOKEN, 0.0)
        self.table[LEFT, row] = 1 if cursor.listens else UNLIMITED if cursor.left is None else cursor.left
        self.table[WATCH, row] = self._watched.number(cursor.watch)
        self.table[BAN, row] = self.banned.number(cursor.banned)
        self.table[RAISED, row], self.table[AMOUNT, row] = token, round(amount * PARTS)

    def what_draws(self, row: int) -> tuple[int, ...]:
        """What decides the next draw of a row beside its logits and its uniform number."""
        return tuple(self.table[[BAN, RAISED, AMOUNT], row].tolist())

    def any_ban(self, num_rows: int) -> bool:
        return bool(self.table[BAN, :num_rows].any())

    def raised(self, num_rows: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
        """The rows with a logit that is raised, its id and by how much, as `draw` wants them."""
        rows = np.flatnonzero(self.table[RAISED, :num_rows] != NO_TOKEN)
        if not len(rows):
            return None
        amounts = self.table[AMOUNT, rows].astype(np.float32) / PARTS
        return to_device(rows, device), to_device(self.table[RAISED, rows], device), to_device(amounts, device)

    def advance(self, num_rows: int) -> None:
        """Every row has been fed one more id."""
        self.table[POSITION, :num_rows] += self.table[STRIDE, :num_rows]

    def counts(self, row: int, step: int) -> bool:
        """Whether what that step draws counts for a row."""
        return bool(self.table[SINCE, row] <= step)

    def take(self, flight: Flight) -> NDArray[np.intp]:
        """Take in what a step drew, and return the rows with an event."""
        began = perf_counter()
        ids, logprobs = flight.drawn.wait()
        self.waited_seconds += perf_counter() - began
        table = self.table[:, : len(ids)]
        rows = np.flatnonzero(flight.free & (table[SINCE] <= flight.number) & (table[STRIDE] > 0))
        columns, ids = flight.columns[rows], ids[rows]
        self._ids[rows, columns], self._logprobs[rows, columns] = ids, logprobs[rows]
        table[LEFT, rows] -= 1
        found: NDArray[np.intp] = rows[self._watched.table[table[WATCH, rows], ids] | (table[LEFT, rows] <= 0)]
        return found

    def drawn(self, row: int, start: int, end: int) -> tuple[list[int], list[float]]:
        """Ids and log-probabilities that a row drew in these columns."""
        return self._ids[row, start:end].tolist(), self._logprobs[row, start:end].tolist()

    def move(self, source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
        """Rows are in other places from now on."""
        for array in (self._ids, self._logprobs):
            array[target] = array[source]
        self.table[:, target] = self.table[:, source]
