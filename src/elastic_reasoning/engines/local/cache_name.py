"""The slow path: one row at a time, with whatever cache the model itself makes.

For models whose layers do not keep plain keys and values, such as those with linear attention.
"""

from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class OwnCache:
    """One row, kept in the model's own cache. What is taken back is computed again."""

    max_rows = 1
    ahead = False

    def __init__(self, model: Any) -> None:
        self.model = model
        self._cache_name, self._keeping = cache_name(model), keeping(model, 1)
        self._fed: list[int] = []
        self._cache: Any = None

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """The model's cache grows by itself."""

    def prefill(self, slots: NDArray[np.int64], ids: torch.Tensor, lengths: NDArray[np.int64]) -> None:
        self._fed, self._cache = [], None
        if ids.shape[1]:
            self._feed(ids[:1, : int(lengths[0])])

    def extend(self, slot: int, ids: torch.Tensor, column: int) -> None:
        self._feed(ids[None])

    def _feed(self, ids: torch.Tensor) -> torch.Tensor:
        settings = {self._cache_name: self._cache, **self._keeping}
        output = self.model(input_ids=ids, use_cache=True, **settings)
        self._cache = getattr(output, self._cache_name)
        self._fed.extend(ids[0].tolist())
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def decode(self, tokens: torch.Tensor, positions: torch.Tensor, columns: NDArray[np.int64]) -> torch.Tensor:
        return self._feed(tokens[:, None])

    def forget(self, row: int, column: int) -> None:
        if column < len(self._fed):
            ids = torch.tensor([self._fed[:column]], dtype=torch.int64, device=self.model.device)
            self.prefill(np.zeros(1, np.int64), ids, np.array([column]))

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        raise AssertionError("a single row never moves")


def keeping(model: Any, num_logits: int) -> dict[str, int]:
    """What asks a model for the logits of the last tokens alone, where it can be asked; those of all may be huge."""
    return {"logits_to_keep": num_logits} if "logits_to_keep" in signature(model.forward).parameters else {}


def cache_name(model: Any) -> str:
    """What a model calls its cache, as an argument and in its output: transformers renamed it, and warns of the old."""
    return "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
