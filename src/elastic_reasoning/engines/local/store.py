"""What a batch asks of whoever keeps keys and values: `slots`, `graphs` and `cache_name` have one each."""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class Store(Protocol):
    """Keys and values of the rows.

    Attributes:
        max_rows: rows at the most.
        ahead: whether what a row has too much is forgotten by going on at an earlier column.
    """

    max_rows: int
    ahead: bool

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room for so many slots and columns, keeping what is there."""

    def prefill(self, slots: NDArray[np.int64], ids: torch.Tensor, lengths: NDArray[np.int64]) -> None:
        """Fill slots from prompts.

        Args:
            slots: of the rows, rising `[rows]`.
            ids: `[rows, width]`, padded on the right with any id: causality hides the padding.
            lengths: tokens of each row that count `[rows]`.
        """

    def extend(self, slot: int, ids: torch.Tensor, column: int) -> None:
        """Go on with a prompt whose first `column` tokens are in their slot by the next ones `[width]`."""

    def decode(self, tokens: torch.Tensor, positions: torch.Tensor, columns: NDArray[np.int64]) -> torch.Tensor:
        """One step of rows 0...

        Args:
            tokens: one id a row `[rows]`.
            positions: their columns `[rows]`.
            columns: the same on the host.

        Returns:
            Logits `[rows, vocabulary]`, until the next step.
        """

    def forget(self, row: int, column: int) -> None:
        """Take back the columns of a row from `column` on; they will be written again."""

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` columns of some rows over others."""


def num_logits(model: Any) -> int:
    """How many logits a model gives; its vocabulary may be padded beyond the tokenizer's."""
    return int(model.get_output_embeddings().weight.shape[0])
