"""Sets of token ids as rows of one boolean table, so that a row of a batch needs the number of its set alone."""

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.engines.local.transfer import to_device


class TokenSets:
    """Sets of ids by number; number 0 is the empty set.

    Attributes:
        table: which ids are in a set `[sets, ids]`, on the host.

    Args:
        num_tokens: ids.
    """

    def __init__(self, num_tokens: int) -> None:
        self.table: NDArray[np.bool_] = np.zeros((1, num_tokens), np.bool_)
        self._numbers: dict[frozenset[int], int] = {frozenset(): 0}
        self._on_device: torch.Tensor | None = None

    def number(self, ids: frozenset[int]) -> int:
        """The number of a set, which is new if nobody has asked for it before."""
        if ids not in self._numbers:
            row = np.zeros_like(self.table[:1])
            row[0, [i for i in ids if i < row.shape[1]]] = True
            self.table = np.concatenate([self.table, row])
            self._numbers[ids] = len(self._numbers)
            self._on_device = None
        return self._numbers[ids]

    def on(self, device: torch.device) -> torch.Tensor:
        """The table on a device."""
        if self._on_device is None:
            self._on_device = to_device(self.table, device)
        return self._on_device
