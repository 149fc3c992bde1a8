"""What all ranks have in common: what they are told at the beginning, and how they come together."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

MEET = timedelta(minutes=5)
"""In which all ranks must have come, once each of them has started."""
LOOPBACK = "lo" if sys.platform == "linux" else "lo0"


@dataclass(frozen=True, slots=True)
class Spread:
    """A model over several devices.

    Attributes:
        model, dtype: as for `load`, the type by its name.
        device: "cpu", or "cuda" for the first devices of that kind.
        num_ranks: devices; on a CPU processes.
        max_rows: rows at the most.
        trusts_code: whether the model's own code may run.
    """

    model: str
    dtype: str
    device: str
    num_ranks: int
    max_rows: int
    trusts_code: bool

    @property
    def num_threads(self) -> int:
        """Of each rank, where they share one CPU; as many as torch takes where they do not."""
        num = torch.get_num_threads()
        return max(1, num // self.num_ranks) if self.device == "cpu" else num

    def place(self, rank: int) -> torch.device:
        """The device of a rank."""
        return torch.device(self.device, rank) if self.device == "cuda" else torch.device("cpu")


@contextmanager
def as_rank(rank: int) -> Iterator[None]:
    """Have transformers take the device of that rank, and torch look for the others on this machine alone."""
    values = {
        "LOCAL_RANK": str(rank),
        "GLOO_SOCKET_IFNAME": LOOPBACK,
        "NCCL_SOCKET_IFNAME": LOOPBACK,
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",  # else the loss of a rank would be the end of this process too
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def meeting_place(spread: Spread, port: int | None = None) -> Any:
    """Where ranks find each other, on this machine alone.

    Args:
        spread: the model.
        port: that of rank 0, which makes the place if there is none yet.

    Returns:
        A `torch.distributed.TCPStore`.
    """
    host, num = "127.0.0.1", spread.num_ranks
    if port is not None:
        return dist.TCPStore(host, port, num)  # type: ignore[attr-defined]
    listener = socket.create_server((host, 0))  # a store that listens by itself does so for the whole network
    port = listener.getsockname()[1]
    own: dict[str, Any] = {"is_master": True, "wait_for_workers": False, "master_listen_fd": listener.detach()}
    return dist.TCPStore(host, port, num, **own)  # type: ignore[attr-defined]


def join(spread: Spread, rank: int, meeting: Any) -> None:
    """Meet the other ranks; returns once all are there.

    Args:
        spread: the model.
        rank: of this process.
        meeting: where they find each other.
    """
    # A meeting that failed has been counted: the next one would look for the others under another number than theirs.
    dist.distributed_c10d._world.group_count = 0
    settings: dict[str, Any] = {"store": meeting, "rank": rank, "world_size": spread.num_ranks, "timeout": MEET}
    if spread.device == "cuda":
        torch.cuda.set_device(spread.place(rank))
        dist.init_process_group("nccl", device_id=spread.place(rank), **settings)
    else:
        dist.init_process_group("gloo", **settings)


def leave() -> None:
    """Have met nobody, whether the others were met or not; it may be called twice."""
    if dist.is_initialized():
        dist.destroy_process_group()
