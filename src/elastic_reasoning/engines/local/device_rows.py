"""What a device keeps of each row: its ids, those that will be forced among them, and its uniform numbers."""

import numpy as np
import torch

from elastic_reasoning.core.request import Request
from elastic_reasoning.engines.local.draws import uniforms_of_rows
from elastic_reasoning.engines.local.transfer import as_index, to_device


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

    def write(self, forced: list[tuple[int, int, tuple[int, ...]]]) -> None:
        """Put ids into rows: the row, the column of the first, and the ids of each."""
        rows = [row for row, _, ids in forced for _ in ids]
        columns = [column + n for _, column, ids in forced for n in range(len(ids))]
        places = to_device(np.array([rows, columns, [token for *_, ids in forced for token in ids]]), self._device)
        self.ids[places[0], places[1]] = places[2]

    def fill_uniforms(self, rows: list[int], requests: list[Request], num_prompts: list[int], column: int) -> None:
        """Fill in the uniform numbers of these rows from a column on.

        Args:
            rows: rising.
            requests: theirs.
            num_prompts: tokens before their completions.
            column: the first; what is in columns of a prompt is not read.
        """
        seeds, samples = [request.sampling.seed for request in requests], [request.sample for request in requests]
        starts = [column - num_prompt for num_prompt in num_prompts]
        numbers = uniforms_of_rows(seeds, samples, starts, self.ids.shape[1] - column)
        self.uniforms[as_index(np.array(rows), self._device), column:] = to_device(numbers, self._device)

    def move(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Copy some rows over others."""
        for tensor in (self.ids, self.uniforms):
            tensor[target] = tensor[source]
