"""The rows of a running batch: what is known of each sequence, and one step of all of them.

The host knows where every row stands and how far it may go; a device learns that with each step, and tells what it
drew. No Python runs per row between events. A row's event is that it may sample no more, or that it sampled a watched
token; its cursor then says what to take back and what to force.

A store that is `ahead` is given the next step before the host has read what the last one drew. Rows with an event
have then drawn one token too many: it is thrown away, or kept where it would be drawn again.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.core.cursor import GO_ON, Cursor
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.local.device_rows import DeviceRows
from elastic_reasoning.engines.local.draws import Settings, draw
from elastic_reasoning.engines.local.row_state import BAN, KNOWN, POSITION, UNLIMITED, Flight, RowState
from elastic_reasoning.engines.local.store import Store
from elastic_reasoning.engines.local.transfer import ToHost, as_index, to_device

PREFILL_TOKENS = 2**16
"""Rows are prefilled together up to so many tokens, padding among them."""
CHUNK_TOKENS = 2**10
"""So many tokens of prompts are prefilled between two steps of rows that run, lest they wait for long."""


class _Row:
    """A sequence: its cursor, and the column at which the draws since its last event begin."""

    def __init__(self, cursor: Cursor, ids: list[int], num_prompt: int) -> None:
        self.cursor = cursor
        self.ids = ids
        self.num_prompt = num_prompt
        self.start = len(ids)

    @property
    def request(self) -> Request:
        return self.cursor.walk.request


class Batch:
    """Rows 0, 1, ... of a store, all decoded together.

    Args:
        store: keys and values.
        num_tokens: ids that may be drawn; the logits may be more.
        device: where the model is.
        context: tokens that a row can have at the most; `None` if that is not known.
    """

    def __init__(self, store: Store, num_tokens: int, device: torch.device, context: int | None = None) -> None:
        self.store = store
        self.context = context
        self.device = device
        self.num_tokens = num_tokens
        self.max_rows = store.max_rows
        self.rows: list[_Row | None] = []  # none where one has ended, and nothing stands in its place yet
        self._state = RowState(self.max_rows, num_tokens)
        self._there = DeviceRows(device)
        self._settings: Settings | None = None
        self._flights: deque[Flight] = deque()
        self._unfed: deque[_Row] = deque()  # with prompts that have not been prefilled to their end
        self._num_steps = 0

    @property
    def num_free(self) -> int:
        return self.max_rows - self.num_running

    @property
    def num_running(self) -> int:
        return sum(row is not None for row in self.rows)

    @property
    def columns(self) -> NDArray[np.int64]:
        """The column that each row is fed next `[rows]`."""
        return self._state.table[POSITION, : len(self.rows)].copy()

    @property
    def waited_seconds(self) -> float:
        """How long the host has waited for what steps drew."""
        return self._state.waited_seconds

    @torch.inference_mode()
    def admit(self, cursors: list[Cursor]) -> None:
        """Prefill new rows where there is room, all but the last id of each; the shortest first.

        Where others run, long ones are given their place alone, and a part of them is prefilled before each step.
        """
        most = CHUNK_TOKENS if self.num_running else UNLIMITED
        rows = []
        for cursor in cursors:
            prompt = cursor.walk.request.prompt.ids
            rows.append(_Row(cursor, [*prompt, *cursor.walk.ids], len(prompt)))
        rows.sort(key=lambda row: len(row.ids))
        places = [index for index, row in enumerate(self.rows) if row is None][: len(rows)]
        places += range(len(self.rows), len(self.rows) + len(rows) - len(places))
        self.rows += [None] * (places[-1] + 1 - len(self.rows))
        for index, row in zip(places, rows, strict=True):
            self.rows[index] = row
        lengths = np.array([len(row.ids) - 1 for row in rows], np.int64)
        self._make_room(int(lengths.max()) + 2)
        slots, fed = np.array(places, np.int64), np.where(lengths > most, 0, lengths)
        for part in _parts(lengths):
            self._prefill(slots[part], rows[part], fed[part])
        for n, (index, row) in enumerate(zip(places, rows, strict=True)):
            self._state.begin(index, int(fed[n]), len(row.ids), self._num_steps)
            self._state.aim(index, row.cursor)
        self._fill_uniforms(places, 0)
        self._settings = None

    def _fill_uniforms(self, places: list[int], column: int) -> None:
        rows = [row for row in map(self.rows.__getitem__, places) if row is not None]
        self._there.fill_uniforms(places, [row.request for row in rows], [row.num_prompt for row in rows], column)

    def _prefill(self, slots: NDArray[np.int64], rows: list[_Row], lengths: NDArray[np.int64]) -> None:
        padded = np.zeros((len(rows), len(rows[-1].ids)), np.int64)
        for n, row in enumerate(rows):
            padded[n, : len(row.ids)] = row.ids
        ids = to_device(padded, self.device)
        self._there.ids[as_index(slots, self.device), : ids.shape[1]] = ids
        self.store.prefill(slots, ids[:, : lengths.max()], lengths)
        self._unfed += [row for row, length in zip(rows, lengths, strict=True) if length < len(row.ids) - 1]

    def _make_room(self, num_columns: int) -> None:
        """Have a slot for every row, and so many columns; both grow by doubling, as far as they may be needed."""
        num_slots, width = self._there.ids.shape
        if num_columns <= width and len(self.rows) <= num_slots:
            return
        new_slots = num_slots if len(self.rows) <= num_slots else min(self.max_rows, max(len(self.rows), 2 * num_slots))
        most = UNLIMITED if self.context is None else self.context + 1
        new_width = width if num_columns <= width else max(num_columns, min(max(2 * width, 64), most))
        self.store.reserve(new_slots, new_width)
        self._there.reserve(new_slots, new_width)
        self._state.reserve(new_slots, new_width)
        if there := [index for index, row in enumerate(self.rows) if row is not None]:
            self._fill_uniforms(there, width)

    @torch.inference_mode()
    def step(self) -> NDArray[np.intp]:
        """Begin to decode one token of every row, and return the rows with an event, now or one step later."""
        if self.store.ahead and self._is_sparse():
            if self._flights:
                return self._land()
            self._compact()
        self._prefill_more()
        self._launch()
        return self._land() if len(self._flights) > self.store.ahead else np.zeros(0, np.intp)

    def _prefill_more(self) -> None:
        """Go on with the prompt that has waited longest; meanwhile each of them is fed an id with every step."""
        while self._unfed:
            index = next((n for n, row in enumerate(self.rows) if row is self._unfed[0]), None)
            if index is not None:
                position, known = self._state.table[[POSITION, KNOWN], index].tolist()
                num = min(CHUNK_TOKENS, known - 1 - position)
                if num > 0:
                    self.store.extend(index, self._there.ids[index, position : position + num], position)
                    self._state.table[POSITION, index] += num
                    return
            self._unfed.popleft()

    def _launch(self) -> None:
        """Tell the device all that it needs for a step."""
        num_rows = len(self.rows)
        if self._settings is None:
            running = next(row for row in self.rows if row is not None)
            sampling = [(row or running).request.sampling for row in self.rows]
            self._settings = Settings.of(sampling, self.num_tokens, self.device)
        host = self._state
        columns = host.table[POSITION, :num_rows]
        self._make_room(int(columns.max()) + 2)
        position, known, ban = to_device(host.table[: BAN + 1, :num_rows], self.device)
        ids, at = self._there.ids[:num_rows], position[:, None] + 1
        tokens = ids.gather(1, position[:, None]).squeeze(1)
        logits = self.store.decode(tokens, position, columns)
        banned = host.banned.on(self.device)[ban] if host.any_ban(num_rows) else None
        uniform = self._there.uniforms[:num_rows].gather(1, at)
        drawn, logprobs = draw(logits, uniform, self._settings, banned, host.raised(num_rows, self.device))
        host.advance(num_rows)
        free = columns >= host.table[KNOWN, :num_rows]
        if not free.all():
            drawn = torch.where(position + 1 >= known, drawn, ids.gather(1, at).squeeze(1))
        ids.scatter_(1, at, drawn[:, None])
        self._flights.append(Flight(self._num_steps, columns.copy(), free, ToHost(drawn, logprobs)))
        self._num_steps += 1

    def _land(self) -> NDArray[np.intp]:
        """Take in what the oldest step that is under way has drawn."""
        return self._state.take(self._flights.popleft())

    def interrupt(self) -> list[Walk]:
        """Wake the rows whose walks have been interrupted; see `wake`."""
        rows = [i for i, row in enumerate(self.rows) if row and row.cursor.walk.interrupted is not None]
        return self.wake(np.array(rows, np.intp)) if rows else []

    @torch.inference_mode()
    def wake(self, events: NDArray[np.intp]) -> list[Walk]:
        """Ask the cursors of these rows how to go on; rows that are done leave the batch and are returned."""
        walks: list[Walk] = []
        forced: list[tuple[int, int, tuple[int, ...]]] = []
        for index in events.tolist():
            row = self.rows[index]
            assert row is not None
            self._wake(index, row, forced)
            if row.cursor.done:
                walks.append(row.cursor.walk)
                self.rows[index] = None
                self._state.end(index)
        if forced:
            self._there.write(forced)
        while self.rows and self.rows[-1] is None:
            self.rows.pop()
        if walks:
            self._settings = None
            if not self.store.ahead:
                self._compact()
        return walks

    def _wake(self, index: int, row: _Row, forced: list[tuple[int, int, tuple[int, ...]]]) -> None:
        """Ask one cursor; what it forces is put with what others do, to be written together."""
        host = self._state
        position = int(host.table[POSITION, index])
        position -= sum(host.counts(index, flight.number) for flight in self._flights)  # what is known of
        end = max(position + 1, row.start)  # forced ids may not all have been fed
        before = host.what_draws(index)
        turn = row.cursor.wake(*host.drawn(index, row.start, end))
        if row.cursor.done:
            return
        host.aim(index, row.cursor)
        if turn == GO_ON and host.what_draws(index) == before:
            row.start = host.table[KNOWN, index] = end
            return
        if turn.take_back:
            end -= turn.take_back
            first = end if turn.forced else end - 1  # with nothing to force, the last id that stands is fed again
            position = min(first, position)  # what was forced may not have been fed yet
            self.store.forget(index, position)
        row.start = end + len(turn.forced)
        if turn.forced:
            self._make_room(row.start + 1)
            forced.append((index, end, turn.forced))
        host.go_on(index, position, row.start, self._num_steps)

    def _is_sparse(self) -> bool:
        """Whether so few rows are left that a step of half as many would do."""
        return 2 * self.num_running <= len(self.rows)

    def _compact(self) -> None:
        """Let the last rows take the places of those that have ended."""
        num_rows = self.num_running
        target = [index for index in range(num_rows) if self.rows[index] is None]
        source = [index for index in range(num_rows, len(self.rows)) if self.rows[index] is not None]
        if target:
            to, off = np.array(target, np.int64), np.array(source, np.int64)
            width = int(self._state.table[POSITION, off].max()) + 1
            self._state.move(off, to)
            on_device, from_device = to_device(to, self.device), to_device(off, self.device)
            self.store.move(from_device, on_device, width)
            self._there.move(from_device, on_device)
        for index, other in zip(target, source, strict=True):
            self.rows[index] = self.rows[other]
        del self.rows[num_rows:]
        self._settings = None


def _parts(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Rising lengths in parts of at most `PREFILL_TOKENS`, each row as long as the last of its part, or of one row."""
    first = 0
    for n, length in enumerate(lengths.tolist()):
        if n > first and (n + 1 - first) * length > PREFILL_TOKENS:
            yield slice(first, n)
            first = n
    yield slice(first, len(lengths))
