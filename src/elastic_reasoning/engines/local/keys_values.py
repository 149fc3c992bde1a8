"""Keys and values of a batch, and the passes that write them: row i owns slot i, and a token's column is its position.

There is no padding on the left and caches are never merged: rows are prefilled straight into their slots, and decoded
together at their own positions. What a token may see is a mask that the caller gives.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from elastic_reasoning.engines.local.attention import grouping, unplanned
from elastic_reasoning.engines.local.cache_name import cache_name
from elastic_reasoning.engines.local.fused import Fusing

Masks = dict[str, torch.Tensor | None]
"""For each kind of attention ("full", "sliding") what is added to the scores; `None` hides nothing."""


class _Place:
    """Where the layers of one forward pass write; shared by all of them.

    Attributes:
        slots: of the rows of this pass.
        first: the first column that a prefill writes.
        width: columns that are read.
        positions: each row's column when decoding `[rows]`; `None` in a prefill.
        rows: 0, 1, ... `[rows]`, to go with `positions`.
        column: the column when all rows are at the same one.
    """

    def __init__(self) -> None:
        self.slots: slice | torch.Tensor = slice(0)
        self.first = 0
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
        if place.positions is None:
            self.keys[place.slots, :, place.first : place.width] = key_states
            self.values[place.slots, :, place.first : place.width] = value_states
            if place.first == 0:
                return key_states, value_states
        elif place.column is not None:
            self.keys[place.slots, :, place.column] = key_states[:, :, 0]
            self.values[place.slots, :, place.column] = value_states[:, :, 0]
        else:
            self.keys[place.rows, :, place.positions] = key_states[:, :, 0]
            self.values[place.rows, :, place.positions] = value_states[:, :, 0]
        return self.keys[place.slots, :, : place.width], self.values[place.slots, :, : place.width]

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
        return self.place.width, 0

    def get_seq_length(self) -> int:
        return self.place.first if self.place.positions is None else self.place.width - 1

    def get_max_length(self) -> int:
        return -1


class KeysValues:
    """The storage of all layers, and the passes that fill and read it.

    Attributes:
        kinds, window: as given.

    Args:
        model: a causal language model.
        kinds: which masks its layers need: "full", "sliding", or both.
        window: tokens that a sliding layer sees, its own among them.
    """

    def __init__(self, model: Any, kinds: frozenset[str], window: int) -> None:
        self.model = model
        self.kinds = kinds
        self.window = window
        self.num_slots = 0
        self.num_columns = 0
        self._place = _Place()
        num_layers = model.config.get_text_config().num_hidden_layers
        self._layers = [_SlotLayer(self._place) for _ in range(num_layers)]
        self._cache = Cache(layers=self._layers)
        self._inner_name, self._cache_name = cache_name(model.base_model), cache_name(model)

    @property
    def num_bytes(self) -> int:
        """What is taken on the device."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self._layers if layer.is_initialized)

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room for so many slots and columns, keeping what is there."""
        for layer in self._layers:
            layer.reserve(num_slots, num_columns)
        self.num_slots, self.num_columns = num_slots, num_columns

    def prefill(self, slots: slice | torch.Tensor, ids: torch.Tensor, fusing: Fusing | None = None) -> torch.Tensor:
        """Write the keys and values of prompts into slots, one a row.

        Args:
            slots: of the rows.
            ids: `[rows, width]`, padded on the right with any id: causality hides the padding.
            fusing: of the model's layers, if they are to be fused; for more than one token a row.

        Returns:
            What the last layer gives `[rows, width, size]`; of a shell around a model (peft) the logits.
        """
        return self._fill(slots, ids, 0, {}, fusing)

    def extend(self, slot: int, ids: torch.Tensor, column: int) -> None:
        """Write those of tokens `[width]` behind the first `column` ones of their slot."""
        end = column + len(ids)
        masks = self.masks(torch.arange(column, end, device=ids.device)[None], end)
        self._fill(slice(slot, slot + 1), ids[None], column, {"attention_mask": _argument(masks)})

    def _fill(
        self,
        slots: slice | torch.Tensor,
        ids: torch.Tensor,
        first: int,
        seen: dict[str, Any],
        fusing: Fusing | None = None,
    ) -> torch.Tensor:
        num_rows, width = ids.shape
        place = self._place
        place.slots, place.first, place.width, place.positions = slots, first, first + width, None
        positions = torch.arange(first, first + width, device=ids.device).expand(num_rows, width)
        with unplanned(ids.device), self._cache_of(fusing) as cache:
            output = self.model.base_model(
                input_ids=ids, position_ids=positions, use_cache=True, **seen, **{self._inner_name: cache}
            )
        states: torch.Tensor = output[0]
        return states

    def _cache_of(self, fusing: Fusing | None) -> AbstractContextManager[Cache]:
        return fusing.layers(self._layers) if fusing else nullcontext(self._cache)

    def masks(self, positions: torch.Tensor, width: int) -> Masks:
        """What tokens see of columns 0...`width` of their own slots, made of their positions alone.

        Args:
            positions: `[rows, tokens]`.
            width: columns.

        Returns:
            For each kind what is added to the scores `[rows, 1, tokens, width]`.
        """
        columns, ends = torch.arange(width, device=positions.device), positions[:, None, :, None]
        hidden, dtype = columns > ends, self.model.dtype
        masks: Masks = {}
        for kind in self.kinds:
            unseen = hidden | (columns <= ends - self.window) if kind == "sliding" else hidden
            mask = torch.zeros(unseen.shape, dtype=dtype, device=positions.device)
            masks[kind] = mask.masked_fill_(unseen, torch.finfo(dtype).min)
        return masks

    def decode(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        rows: torch.Tensor,
        width: int,
        masks: Masks,
        column: int | None = None,
        fusing: Fusing | None = None,
    ) -> torch.Tensor:
        """One token a row, of the rows in slots 0...

        Args:
            tokens: ids `[rows]`.
            positions: their columns `[rows]`.
            rows: 0, 1, ... `[rows]`.
            width: columns that are read.
            masks: `[rows, 1, 1, width]`.
            column: that of all rows, if it is the same one.
            fusing: of the model's layers, if they are to be fused.

        Returns:
            Logits `[rows, vocabulary]`.
        """
        place = self._place
        place.slots, place.width, place.column = slice(len(tokens)), width, column
        place.positions, place.rows = positions, rows
        with grouping(), self._cache_of(fusing) as cache:
            output = self.model(
                input_ids=tokens[:, None],
                position_ids=positions[:, None],
                attention_mask=_argument(masks),
                use_cache=True,
                **{self._cache_name: cache},
            )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` columns of some slots over others."""
        for layer in self._layers:
            layer.move(source, target, width)


def _argument(masks: Masks) -> Any:
    """Masks as models take them: one for all layers, or one for each kind."""
    if len(masks) == 1:
        return next(iter(masks.values()))
    return {f"{kind}_attention": mask for kind, mask in masks.items()}
