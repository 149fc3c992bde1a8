"""What goes to a device and comes back without either side waiting for the other.

    positions = to_device(np.arange(3), device)
    there = ToHost(drawn, logprobs)  # returns at once
    there.wait()

On a CPU both are the same memory.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def to_device(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """A copy of an array as it is now, sent behind what the device was told before.

    Copies from pinned memory alone do not wait for the device; torch keeps that memory until they are done.
    """
    tensor = torch.from_numpy(array.copy())
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def as_index(slots: NDArray[np.int64], device: torch.device) -> slice | torch.Tensor:
    """What selects rows of a tensor: a slice, which makes a view, where they follow each other."""
    first = int(slots[0])
    if len(slots) == int(slots[-1]) - first + 1:
        return slice(first, first + len(slots))
    return to_device(slots, device)


class ToHost:
    """Tensors on their way to the host.

    Attributes:
        arrays: of them, to be read behind `wait`.
    """

    def __init__(self, *tensors: torch.Tensor) -> None:
        is_cuda = tensors[0].is_cuda
        on_host = [tensor.to("cpu", non_blocking=is_cuda) for tensor in tensors]  # into pinned memory, from CUDA
        self.arrays: list[NDArray[Any]] = [tensor.numpy() for tensor in on_host]
        self._done = torch.cuda.Event() if is_cuda else None  # type: ignore[no-untyped-call]
        if self._done is not None:
            self._done.record(torch.cuda.current_stream(tensors[0].device))

    def wait(self) -> list[NDArray[Any]]:
        """The arrays, once they have arrived."""
        if self._done is not None:
            self._done.synchronize()
        return self.arrays
