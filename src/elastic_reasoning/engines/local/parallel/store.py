"""The store of rank 0: whatever it is asked, all other ranks are told to do as well."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.engines.local.parallel.workers import Workers
from elastic_reasoning.engines.local.store import Store


class SpreadStore:
    """This rank's share of keys and values, and through it everybody's.

    Args:
        own: this rank's, empty.
        workers: the other ranks, which begin with empty ones too.
    """

    def __init__(self, own: Store, workers: Workers) -> None:
        self.max_rows, self.ahead = own.max_rows, own.ahead
        self._own, self._workers = own, workers
        workers.begin()

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room for so many slots and columns, keeping what is there."""
        self._call("reserve", num_slots, num_columns)

    def prefill(self, slots: NDArray[np.int64], ids: torch.Tensor, lengths: NDArray[np.int64]) -> None:
        """Fill slots from prompts; see `elastic_reasoning.engines.local.store.Store`."""
        self._call("prefill", slots, ids, lengths)

    def extend(self, slot: int, ids: torch.Tensor, column: int) -> None:
        """Go on with a prompt whose first `column` tokens are in their slot."""
        self._call("extend", slot, ids, column)

    def decode(self, tokens: torch.Tensor, positions: torch.Tensor, columns: NDArray[np.int64]) -> torch.Tensor:
        """One step of rows 0...; see `elastic_reasoning.engines.local.store.Store`."""
        logits: torch.Tensor = self._call("decode", tokens, positions, columns)
        if logits.is_cuda:  # a device goes on with anything at all once another one is gone: nothing may be drawn of it
            torch.cuda.current_stream(logits.device).synchronize()
            self._workers.check()
        return logits

    def forget(self, row: int, column: int) -> None:
        """Take back the columns of a row from `column` on; they will be written again."""
        self._call("forget", row, column)

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` columns of some rows over others."""
        self._call("move", source, target, width)

    def _call(self, method: str, *arguments: Any) -> Any:
        self._workers.check()
        with self._workers.in_step():
            self._workers.tell(method, arguments)
            return getattr(self._own, method)(*arguments)
