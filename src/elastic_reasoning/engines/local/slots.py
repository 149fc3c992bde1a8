"""Slots whose masks are kept: one entry is written for each row and step, and only columns that are in use are read.

    slots.prefill(np.arange(2), ids, lengths)
    logits = slots.decode(tokens, positions, columns)

The least work where every call is paid by the processor that computes it; `graphs` is for devices that are told ahead.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.engines.local.keys_values import KeysValues, Masks
from elastic_reasoning.engines.local.transfer import as_index


class Slots:
    """Keys, values and masks of a batch.

    Args:
        model: a causal language model.
        max_rows: rows at the most.
        kinds: which masks its layers need: "full", "sliding", or both.
        window: tokens that a sliding layer sees, its own among them.
    """

    ahead = False

    def __init__(self, model: Any, max_rows: int, kinds: frozenset[str], window: int) -> None:
        self.max_rows = max_rows
        self.kinds = kinds
        self.window = window
        self._stored = KeysValues(model, kinds, window)
        self._dtype, self._device = model.dtype, model.device
        self._hidden = torch.finfo(self._dtype).min
        self._masks = {kind: torch.zeros(0, 0, dtype=self._dtype, device=self._device) for kind in kinds}
        self._rows = torch.arange(max_rows, device=self._device)

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room for so many slots and columns, keeping what is there."""
        more = (0, num_columns - self._stored.num_columns, 0, num_slots - self._stored.num_slots)
        self._stored.reserve(num_slots, num_columns)
        for kind, mask in self._masks.items():  # additive, [slots, columns]
            self._masks[kind] = torch.nn.functional.pad(mask, more, value=self._hidden)

    def prefill(self, slots: NDArray[np.int64], ids: torch.Tensor, lengths: NDArray[np.int64]) -> None:
        """Fill slots from prompts; see `elastic_reasoning.engines.local.store.Store`."""
        index = as_index(slots, self._device)
        for kind in self.kinds:
            self._open(kind, index, lengths)
        if ids.shape[1]:
            self._stored.prefill(index, ids)

    def extend(self, slot: int, ids: torch.Tensor, column: int) -> None:
        """Go on with a prompt whose first `column` tokens are in their slot."""
        self._stored.extend(slot, ids, column)
        for kind in self.kinds:
            self._open(kind, slice(slot, slot + 1), np.array([column + len(ids)]))

    def _open(self, kind: str, slots: slice | torch.Tensor, lengths: NDArray[np.int64]) -> None:
        """Let the next token of each row see what it may of the columns before it."""
        columns = torch.arange(self._stored.num_columns, device=self._device)
        ends = torch.from_numpy(lengths).to(self._device)[:, None]
        seen = columns < ends
        if kind == "sliding":
            seen &= columns >= ends - self.window
        self._masks[kind][slots] = torch.full(
            seen.shape, self._hidden, dtype=self._dtype, device=self._device
        ).masked_fill_(seen, 0.0)

    def decode(self, tokens: torch.Tensor, positions: torch.Tensor, columns: NDArray[np.int64]) -> torch.Tensor:
        """One step of rows 0...; see `elastic_reasoning.engines.local.store.Store`."""
        num_rows, last, first = len(columns), int(columns.max()), int(columns.min())
        masks: Masks = {}
        for kind, mask in self._masks.items():
            mask[:num_rows].scatter_(1, positions[:, None], 0.0)
            if kind == "sliding" and last >= self.window:
                self._slide(mask[:num_rows], positions)
            plain = first == last and (kind == "full" or last < self.window)
            masks[kind] = None if plain else mask[:num_rows, None, None, : last + 1]
        column = last if first == last else None
        return self._stored.decode(tokens, positions, self._rows[:num_rows], last + 1, masks, column)

    def _slide(self, mask: torch.Tensor, positions: torch.Tensor) -> None:
        """Hide the column that has left the window of each row."""
        left = (positions - self.window)[:, None]
        hidden = torch.where(left >= 0, self._hidden, mask.gather(1, left.clamp(min=0)))
        mask.scatter_(1, left.clamp(min=0), hidden)

    def forget(self, row: int, column: int) -> None:
        """Hide the columns of a row from `column` on; they will be written again."""
        for kind, mask in self._masks.items():
            mask[row, column:] = self._hidden
            if kind == "sliding":
                mask[row, max(0, column - self.window) : column] = 0.0

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` columns of some rows over others."""
        self._stored.move(source, target, width)
        for mask in self._masks.values():
            mask[target] = mask[source]
