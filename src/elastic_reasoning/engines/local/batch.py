"""The rows of a running batch: what is known of each sequence, and one step of all of them.

State is kept as tensors over rows, so that no Python runs per row between events. A row's event is that it may
sample no more, or that it sampled a watched token; its cursor then says what to take back and what to force.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.local.draws import Settings, draw, uniforms

UNLIMITED = 2**62
PREFILL_TOKENS = 2**16
"""Rows are prefilled together up to so many tokens, padding among them."""
POSITION, KNOWN, LEFT, WATCH, BAN, RAISED, AMOUNT = range(7)
PARTS = 2**20
"""An amount that is added to a logit is kept as so many parts of a nat."""
NO_TOKEN = -1


class Store(Protocol):
    """Keys and values of the rows; see `elastic_reasoning.engines.local.slots.Slots`."""

    max_rows: int

    def reserve(self, num_slots: int, num_columns: int) -> None: ...

    def prefill(self, start: int, ids: torch.Tensor, lengths: NDArray[np.int64]) -> None: ...

    def decode(self, tokens: torch.Tensor, positions: torch.Tensor, columns: NDArray[np.int64]) -> torch.Tensor: ...

    def forget(self, row: int, column: int) -> None: ...

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None: ...


class _Classes:
    """Sets of ids as rows of one boolean table `[classes, vocabulary]`; class 0 is the empty set."""

    def __init__(self, num_tokens: int, device: torch.device) -> None:
        self.table = torch.zeros(1, num_tokens, dtype=torch.bool, device=device)
        self._index: dict[frozenset[int], int] = {frozenset(): 0}

    def number(self, ids: frozenset[int]) -> int:
        if ids not in self._index:
            row = torch.zeros_like(self.table[:1])
            row[0, [i for i in ids if i < row.shape[1]]] = True
            self.table = torch.cat([self.table, row])
            self._index[ids] = len(self._index)
        return self._index[ids]


class _Row:
    """A sequence: its cursor, and the column at which the draws since its last event begin."""

    def __init__(self, cursor: Cursor, ids: list[int], num_prompt: int) -> None:
        self.cursor = cursor
        self.ids = ids
        self.num_prompt = num_prompt
        self.start = len(ids)


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
        self.rows: list[_Row] = []
        self.max_rows = store.max_rows
        self._watched, self._banned = _Classes(num_tokens, device), _Classes(num_tokens, device)
        self._state = torch.zeros(AMOUNT + 1, self.max_rows, dtype=torch.int64, device=device)
        self._ids = torch.zeros(0, 0, dtype=torch.int64, device=device)
        self._logprobs = torch.zeros(0, 0, device=device)
        self._uniforms = torch.zeros(0, 0, device=device)
        self._columns = np.zeros(self.max_rows, np.int64)  # the positions, on the host
        self._num_forced_steps = 0
        self._any_ban = False
        self._raised: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None  # see `draw`
        self._settings: Settings | None = None

    @property
    def num_free(self) -> int:
        return self.max_rows - len(self.rows)

    @torch.inference_mode()
    def admit(self, cursors: list[Cursor]) -> None:
        """Prefill new rows behind those that run, all but the last id of each; the shortest first."""
        start, rows = len(self.rows), []
        for cursor in cursors:
            prompt = cursor.walk.request.prompt.ids
            rows.append(_Row(cursor, [*prompt, *cursor.walk.ids], len(prompt)))
        rows.sort(key=lambda row: len(row.ids))
        self.rows.extend(rows)
        lengths = np.array([len(row.ids) - 1 for row in rows], np.int64)
        self._make_room(int(lengths.max()) + 2)
        for part in _parts(lengths):
            self._prefill(start + part.start, rows[part], lengths[part])
        host = self._host()
        for n, row in enumerate(rows):
            self._fill_uniforms(start + n, 0)
            host[POSITION, start + n] = lengths[n]
            host[KNOWN, start + n] = len(row.ids)
            self._aim(host, start + n)
        self._write(host)
        self._settings = None

    def _prefill(self, start: int, rows: list[_Row], lengths: NDArray[np.int64]) -> None:
        padded = np.zeros((len(rows), int(lengths.max()) + 1), np.int64)
        for n, row in enumerate(rows):
            padded[n, : len(row.ids)] = row.ids
        ids = torch.from_numpy(padded).to(self.device)
        self._ids[start : start + len(rows), : ids.shape[1]] = ids
        self.store.prefill(start, ids[:, :-1], lengths)

    def _make_room(self, num_columns: int) -> None:
        """Have a slot for every row, and so many columns; both grow by doubling, as far as they may be needed."""
        num_slots, width = self._ids.shape
        if num_columns <= width and len(self.rows) <= num_slots:
            return
        new_slots = num_slots if len(self.rows) <= num_slots else min(self.max_rows, max(len(self.rows), 2 * num_slots))
        most = UNLIMITED if self.context is None else self.context + 1
        new_width = width if num_columns <= width else max(num_columns, min(max(2 * width, 64), most))
        self.store.reserve(new_slots, new_width)
        more = (0, new_width - width, 0, new_slots - num_slots)
        self._ids = torch.nn.functional.pad(self._ids, more)
        self._logprobs = torch.nn.functional.pad(self._logprobs, more)
        self._uniforms = torch.nn.functional.pad(self._uniforms, more)
        for n, row in enumerate(self.rows):
            self._fill_uniforms(n, max(0, width - row.num_prompt))

    def _fill_uniforms(self, row: int, position: int) -> None:
        """Fill in the uniform numbers of a row from a position of its completion on."""
        request = self.rows[row].cursor.walk.request
        column = self.rows[row].num_prompt + position
        numbers = uniforms(request.sampling.seed, request.sample, position, max(0, self._ids.shape[1] - column))
        self._uniforms[row, column:] = torch.from_numpy(numbers).to(self.device)

    def _aim(self, host: NDArray[np.int64], row: int) -> None:
        """Write down what a row's cursor waits for."""
        cursor = self.rows[row].cursor
        host[LEFT, row] = 1 if cursor.listens else UNLIMITED if cursor.left is None else cursor.left
        host[WATCH, row] = self._watched.number(cursor.watch)
        host[BAN, row] = self._banned.number(cursor.banned)
        token, amount = cursor.raised or (NO_TOKEN, 0.0)
        host[RAISED, row], host[AMOUNT, row] = token, round(amount * PARTS)

    def _host(self) -> NDArray[np.int64]:
        """The state where it can be edited: on a CPU it is the state itself, elsewhere a copy for `_write`."""
        host: NDArray[np.int64] = self._state.cpu().numpy()
        return host

    def _write(self, host: NDArray[np.int64]) -> None:
        """Bring the state back to the device, and note what all rows together need."""
        if self.device.type != "cpu":
            self._state.copy_(torch.from_numpy(host))
        state = host[:, : len(self.rows)]
        self._columns[: len(self.rows)] = state[POSITION]
        self._num_forced_steps = int((state[KNOWN] - state[POSITION]).max(initial=1)) - 1
        self._any_ban = bool(state[BAN].any())
        self._raised = None
        if len(rows := np.flatnonzero(state[RAISED] != NO_TOKEN)):
            amounts = state[AMOUNT, rows].astype(np.float32) / PARTS
            self._raised = (
                torch.from_numpy(rows).to(self.device),
                torch.from_numpy(state[RAISED, rows]).to(self.device),
                torch.from_numpy(amounts).to(self.device),
            )

    @torch.inference_mode()
    def step(self) -> NDArray[np.intp]:
        """Decode one token of every row, and return the rows with an event."""
        num_rows = len(self.rows)
        if self._settings is None:
            sampling = [row.cursor.walk.request.sampling for row in self.rows]
            self._settings = Settings.of(sampling, self.num_tokens, self.device)
        columns = self._columns[:num_rows]
        self._make_room(int(columns.max()) + 2)
        position, known, left, watch, ban = self._state[: BAN + 1, :num_rows]
        ids = self._ids[:num_rows]
        tokens = ids.gather(1, position[:, None]).squeeze(1)
        logits = self.store.decode(tokens, position, columns)
        position += 1
        columns += 1
        at = position[:, None]
        banned = self._banned.table[ban] if self._any_ban else None
        drawn, logprobs = draw(logits, self._uniforms[:num_rows].gather(1, at), self._settings, banned, self._raised)
        event = self._watched.table[watch, drawn]
        if self._num_forced_steps > 0:
            self._num_forced_steps -= 1
            free = position >= known
            drawn = torch.where(free, drawn, ids.gather(1, at).squeeze(1))
            left -= free.long()
            event = free & (event | (left <= 0))
        else:
            left -= 1
            event |= left <= 0
        ids.scatter_(1, at, drawn[:, None])
        self._logprobs[:num_rows].scatter_(1, at, logprobs[:, None])
        found: NDArray[np.intp] = np.flatnonzero(event.cpu().numpy())
        return found

    def interrupt(self) -> list[Walk]:
        """Wake the rows whose walks have been interrupted; see `wake`."""
        rows = [index for index, row in enumerate(self.rows) if row.cursor.walk.interrupted is not None]
        return self.wake(np.array(rows, np.intp)) if rows else []

    @torch.inference_mode()
    def wake(self, events: NDArray[np.intp]) -> list[Walk]:
        """Ask the cursors of these rows how to go on; rows that are done leave the batch and are returned."""
        host = self._host()
        done = []
        for index in events.tolist():
            row = self.rows[index]
            end = max(int(host[POSITION, index]) + 1, row.start)  # forced ids may not all have been fed
            ids = self._ids[index, row.start : end].tolist()
            turn = row.cursor.wake(ids, self._logprobs[index, row.start : end].tolist())
            if row.cursor.done:
                done.append(index)
                continue
            if turn.take_back:
                end -= turn.take_back
                first = end if turn.forced else end - 1  # with nothing to force, the last id that stands is fed again
                first = min(first, int(host[POSITION, index]))  # what was forced may not have been fed yet
                host[POSITION, index] = first
                self.store.forget(index, first)
            row.start = end + len(turn.forced)
            if turn.forced:
                self._make_room(row.start + 1)
                self._ids[index, end : row.start] = torch.tensor(turn.forced, device=self.device)
            host[KNOWN, index] = row.start
            self._aim(host, index)
        walks = [self.rows[index].cursor.walk for index in done]
        if done:
            self._remove(host, set(done))
        self._write(host)
        return walks

    def _remove(self, host: NDArray[np.int64], done: set[int]) -> None:
        """Let the last rows take the places of those that are done."""
        num_rows = len(self.rows) - len(done)
        target = [index for index in range(num_rows) if index in done]
        source = [index for index in range(num_rows, len(self.rows)) if index not in done]
        if target:
            width = int(host[POSITION, source].max()) + 1
            to, off = torch.tensor(target, device=self.device), torch.tensor(source, device=self.device)
            self.store.move(off, to, width)
            for tensor in (self._ids, self._logprobs, self._uniforms):
                tensor[to] = tensor[off]
            host[:, target] = host[:, source]
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


def num_logits(model: Any) -> int:
    """How many logits a model gives; its vocabulary may be padded beyond the tokenizer's."""
    return int(model.get_output_embeddings().weight.shape[0])
