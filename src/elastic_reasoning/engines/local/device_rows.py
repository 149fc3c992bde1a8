"""What a device keeps of each row: its ids, those that will be forced among them, and its uniform numbers."""

import numpy as np
import torch

from elastic_reasoning.core.request import Request
from elastic_reasoning.engines.local.draws import uniforms
from elastic_reasoning.engines.local.transfer import to_device


class DeviceRows:
    """Tensors over rows and columns; a column is a position in the whole sequence.

    Attributes:
        ids: `[slots, columns]`.
        uniforms: with which the id in a column is drawn `[slots, columns]`.

    Args:
        device: where they are.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.ids = torch.zeros(0, 0, dtype=torch.int64, device=device)
        self.uniforms = torch.zeros(0, 0, device=device)

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room, keeping what is there."""
        slots, width = self.ids.shape
        more = (0, num_columns - width, 0, num_slots - slots)
        self.ids = torch.nn.functional.pad(self.ids, more)
        self.uniforms = torch.nn.functional.pad(self.uniforms, more)

    def write(self, row: int, column: int, ids: tuple[int, ...]) -> None:
        """Put ids into a row from a column on."""
        self.ids[row, column : column + len(ids)] = to_device(np.array(ids, np.int64), self._device)

    def fill_uniforms(self, row: int, request: Request, num_prompt: int, position: int) -> None:
        """Fill in the uniform numbers of a request from a position of its completion on."""
        column = num_prompt + position
        num = max(0, self.ids.shape[1] - column)
        numbers = uniforms(request.sampling.seed, request.sample, position, num)
        self.uniforms[row, column:] = to_device(numbers, self._device)

    def move(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Copy some rows over others."""
        for tensor in (self.ids, self.uniforms):
            tensor[target] = tensor[source]
