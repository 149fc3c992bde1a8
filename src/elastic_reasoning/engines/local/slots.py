"""Where a batch keeps its keys and values: row i owns slot i, and a token's column is its position.

There is no padding on the left and caches are never merged: rows are prefilled straight into their slots, decoded
together at their own positions, and the last row takes the place of one that ended.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.cache_utils import Cache, CacheLayerMixin

from elastic_reasoning.engines.local.attention import grouping
from elastic_reasoning.engines.local.cache_name import cache_name


class _Place:
    """Where the layers of one forward pass write; shared by all of them.

    Attributes:
        start: first slot of the rows.
        num_rows: rows of this pass.
        width: columns that are read.
        positions: each row's column when decoding `[rows]`; `None` in a prefill.
        rows: 0, 1, ... `[rows]`, to go with `positions`.
        column: the column when all rows are at the same one.
    """

    def __init__(self) -> None:
        self.start = 0
        self.num_rows = 0
        self.width = 0
        self.positions: torch.Tensor | None = None
        self.rows: torch.Tensor | None = None
        self.column: int | None = None


class _SlotLayer(CacheLayerMixin):
    """Keys and values of one layer, `[slots, heads, columns, size of a head]`."""

    is_sliding = False

    def __init__(self, place: _Place) -> None:
        super().__init__()
        self.place = place
        self.num_slots = 0
        self.num_columns = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        def empty(like: torch.Tensor) -> torch.Tensor:
            return like.new_zeros(self.num_slots, like.shape[1], self.num_columns, like.shape[3])

        self.keys, self.values = empty(key_states), empty(value_states)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        place = self.place
        stop = place.start + place.num_rows
        if place.positions is None:
            self.keys[place.start : stop, :, : place.width] = key_states
            self.values[place.start : stop, :, : place.width] = value_states
            return key_states, value_states
        if place.column is not None:
            self.keys[:stop, :, place.column] = key_states[:, :, 0]
            self.values[:stop, :, place.column] = value_states[:, :, 0]
        else:
            self.keys[place.rows, :, place.positions] = key_states[:, :, 0]
            self.values[place.rows, :, place.positions] = value_states[:, :, 0]
        return self.keys[:stop, :, : place.width], self.values[:stop, :, : place.width]

    def get_max_cache_shape(self) -> int:
        return -1  # there is none; abstract in transformers up to 5.10

    def reserve(self, num_slots: int, num_columns: int) -> None:
        if self.is_initialized:
            more = (0, 0, 0, num_columns - self.num_columns, 0, 0, 0, num_slots - self.num_slots)
            self.keys = torch.nn.functional.pad(self.keys, more)
            self.values = torch.nn.functional.pad(self.values, more)
        self.num_slots, self.num_columns = num_slots, num_columns

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        if self.is_initialized:
            self.keys[target, :, :width] = self.keys[source, :, :width]
            self.values[target, :, :width] = self.values[source, :, :width]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return (query_length if self.place.positions is None else self.place.width), 0

    def get_seq_length(self) -> int:
        return 0 if self.place.positions is None else self.place.width - 1

    def get_max_length(self) -> int:
        return -1


class Slots:
    """Keys, values and masks of a batch.

    Args:
        model: a causal language model.
        max_rows: rows at the most.
        kinds: which masks its layers need: "full", "sliding", or both.
        window: tokens that a sliding layer sees, its own among them.
    """

    def __init__(self, model: Any, max_rows: int, kinds: frozenset[str], window: int) -> None:
        self.model = model
        self.max_rows = max_rows
        self.kinds = kinds
        self.window = window
        self.num_slots = 0
        self.num_columns = 0
        self._dtype, self._device = model.dtype, model.device
        self._hidden = torch.finfo(self._dtype).min
        self._place = _Place()
        self._config = model.config.get_text_config()
        self._layers = [_SlotLayer(self._place) for _ in range(self._config.num_hidden_layers)]
        cache = Cache(layers=self._layers)
        self._inner_cache, self._outer_cache = {cache_name(model.base_model): cache}, {cache_name(model): cache}
        self._masks = {kind: torch.zeros(0, 0, dtype=self._dtype, device=self._device) for kind in kinds}
        self._rows = torch.arange(max_rows, device=self._device)

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room for so many slots and columns, keeping what is there."""
        for layer in self._layers:
            layer.reserve(num_slots, num_columns)
        more = (0, num_columns - self.num_columns, 0, num_slots - self.num_slots)
        for kind, mask in self._masks.items():  # additive, [slots, columns]
            self._masks[kind] = torch.nn.functional.pad(mask, more, value=self._hidden)
        self.num_slots, self.num_columns = num_slots, num_columns

    def prefill(self, start: int, ids: torch.Tensor, lengths: NDArray[np.int64]) -> None:
        """Fill slots `start`... from prompts.

        Args:
            start: first slot.
            ids: `[rows, width]`, padded on the right with any id: causality hides the padding.
            lengths: tokens of each row that count `[rows]`.
        """
        num_rows, width = ids.shape
        for kind in self.kinds:
            self._open(kind, start, lengths)
        if width == 0:
            return
        self._place.start, self._place.num_rows, self._place.width = start, num_rows, width
        self._place.positions = None
        positions = torch.arange(width, device=self._device).expand(num_rows, width)
        self.model.base_model(input_ids=ids, position_ids=positions, use_cache=True, **self._inner_cache)

    def _open(self, kind: str, start: int, lengths: NDArray[np.int64]) -> None:
        """Let the next token of each row see what it may of the columns before it."""
        columns = torch.arange(self.num_columns, device=self._device)
        ends = torch.from_numpy(lengths).to(self._device)[:, None]
        seen = columns < ends
        if kind == "sliding":
            seen &= columns >= ends - self.window
        mask = self._masks[kind][start : start + len(lengths)]
        mask.fill_(self._hidden).masked_fill_(seen, 0.0)

    def decode(self, tokens: torch.Tensor, positions: torch.Tensor, columns: NDArray[np.int64]) -> torch.Tensor:
        """One step of rows 0...

        Args:
            tokens: one id a row `[rows]`.
            positions: their columns `[rows]`.
            columns: the same on the host.

        Returns:
            Logits `[rows, vocabulary]`.
        """
        num_rows, last, first = len(columns), int(columns.max()), int(columns.min())
        place = self._place
        place.start, place.num_rows, place.width = 0, num_rows, last + 1
        place.positions, place.rows = positions, self._rows[:num_rows]
        place.column = last if first == last else None
        masks: dict[str, torch.Tensor | None] = {}
        for kind, mask in self._masks.items():
            mask[:num_rows].scatter_(1, positions[:, None], 0.0)
            if kind == "sliding" and last >= self.window:
                self._slide(mask[:num_rows], positions)
            plain = first == last and (kind == "full" or last < self.window)
            masks[kind] = None if plain else mask[:num_rows, None, None, : last + 1]
        with grouping():
            output = self.model(
                input_ids=tokens[:, None],
                position_ids=positions[:, None],
                attention_mask=self._mask_argument(masks),
                use_cache=True,
                **self._outer_cache,
            )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _slide(self, mask: torch.Tensor, positions: torch.Tensor) -> None:
        """Hide the column that has left the window of each row."""
        left = (positions - self.window)[:, None]
        hidden = torch.where(left >= 0, self._hidden, mask.gather(1, left.clamp(min=0)))
        mask.scatter_(1, left.clamp(min=0), hidden)

    def _mask_argument(self, masks: dict[str, torch.Tensor | None]) -> Any:
        if len(masks) == 1:
            return next(iter(masks.values()))
        return {f"{kind}_attention": mask for kind, mask in masks.items()}

    def forget(self, row: int, column: int) -> None:
        """Hide the columns of a row from `column` on; they will be written again."""
        for kind, mask in self._masks.items():
            mask[row, column:] = self._hidden
            if kind == "sliding":
                mask[row, max(0, column - self.window) : column] = 0.0

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` columns of some rows over others."""
        for layer in self._layers:
            layer.move(source, target, width)
        for mask in self._masks.values():
            mask[target] = mask[source]
