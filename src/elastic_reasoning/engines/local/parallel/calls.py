"""How rank 0 tells the other ranks what to do: a call of their stores, whose tensors go from device to device.

No device waits for the host because of a call: what is short goes through a pipe to each rank, and the tensors, which
rank 0's host may not know yet, are broadcast behind whatever its device was told before.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

NEW = "new"
"""In place of a method: an empty store takes the place of the last one."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a rank is told.

    Attributes:
        method: of its store, or `NEW`.
        arguments: of the method; of a tensor, which follows, its shape alone.
    """

    method: str
    arguments: tuple[Any, ...] = ()


def announced(method: str, arguments: tuple[Any, ...]) -> tuple[Call, list[torch.Tensor]]:
    """A call as it is told, and the tensors (of int64) that follow it."""
    tensors = [argument for argument in arguments if isinstance(argument, torch.Tensor)]
    return Call(method, tuple(a.shape if isinstance(a, torch.Tensor) else a for a in arguments)), tensors


def broadcast(tensors: list[torch.Tensor]) -> None:
    """Send the tensors of a call to all other ranks."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    if len(flat):
        dist.broadcast(flat, 0)


def received(call: Call, device: torch.device) -> list[Any]:
    """The arguments of a call, its tensors among them."""
    shapes = [argument for argument in call.arguments if isinstance(argument, torch.Size)]
    flat = torch.empty(sum(shape.numel() for shape in shapes), dtype=torch.int64, device=device)
    if len(flat):
        dist.broadcast(flat, 0)
    parts = iter(torch.split(flat, [shape.numel() for shape in shapes]))
    return [next(parts).view(a) if isinstance(a, torch.Size) else a for a in call.arguments]
