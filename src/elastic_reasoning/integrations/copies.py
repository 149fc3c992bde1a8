"""Copies between a host and a device that make neither wait for more than what is copied."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch


def upload(values: np.ndarray[Any, Any], device: torch.device) -> torch.Tensor:
    """These values on a device, which the host does not wait for."""
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


class LastIds:
    """The last ids of some sequences, brought to the host while the device goes on with other things.

        last.ask(slots)     # when all that was sampled before is on its way, and before the model is run again
        last.wait()         # until it was sampled, and not until the model has run

    Args:
        ids: of all sequences on the device, by slot and place `[slots, places]`.
        num_ids: how many there are of each `[slots]`.
    """

    def __init__(self, ids: torch.Tensor, num_ids: torch.Tensor) -> None:
        self._ids, self._num_ids = ids, num_ids
        self._slots: list[int] = []
        self._at = torch.empty(0)
        self._copied = torch.empty(0)
        self._event = torch.cuda.Event() if ids.device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def ask(self, slots: Sequence[int]) -> None:
        """Have the last ids of these slots copied."""
        if self._slots != list(slots):
            self._slots = list(slots)
            self._at = upload(np.array(self._slots, dtype=np.int64), self._ids.device)
        num_ids = self._num_ids[self._at]
        found = torch.stack((num_ids, self._ids[self._at, num_ids.long() - 1]))  # [2, slots]
        if self._event is None:
            self._copied = found
        else:
            self._copied = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
            self._copied.copy_(found, non_blocking=True)
            self._event.record()

    def wait(self) -> dict[int, tuple[int, int]]:
        """How many ids each slot had when it was asked for, and the last of them."""
        if self._event is not None:
            self._event.synchronize()
        num_ids, last = self._copied.tolist()
        return dict(zip(self._slots, zip(num_ids, last, strict=True), strict=True))
