"""The processes that train together, started by `accelerate launch`; one where nothing was launched."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.training.config import TrainConfig

TIMEOUT = timedelta(hours=4)
"""How long a process waits for the others, one of which may be grading, validating or writing all that while."""


def on_cpu(config: TrainConfig) -> bool:
    """Whether a run is made on a CPU."""
    import torch

    return config.device == "cpu" or (config.device == "auto" and not torch.cuda.is_available())


def num_launched() -> int:
    """How many processes were launched together, before they have met."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_launched() -> bool:
    """Whether this is the process that speaks, before they have met."""
    return os.environ.get("RANK", "0") == "0"


def choose_port() -> None:
    """Name a free port to meet at, where no launcher has named one: vLLM wants one for a single process too.

    Those that the libraries would try are the same in each run, and two runs that start at once both find them free.
    """
    if "MASTER_PORT" not in os.environ:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(found.getsockname()[1]))


@contextmanager
def rendezvous() -> Iterator[None]:
    """Say in one line that processes cannot meet.

    Raises:
        TrainingError: the port is in use, or the others do not come.
    """
    from torch.distributed import DistNetworkError

    try:
        yield
    except DistNetworkError as error:
        port, reason = os.environ.get("MASTER_PORT", "of the launcher"), str(error).splitlines()[0]
        raise TrainingError(
            f"processes cannot meet at port {port} ({reason}): another run may hold it; give another with "
            "accelerate launch --main_process_port, or leave MASTER_PORT unset"
        ) from error


def init_distributed(config: TrainConfig) -> Any:
    """Meet the others: accelerate's state, whose `wait_for_everyone` is a barrier.

    Raises:
        TrainingError: there is no GPU where one is asked for, or the others cannot be met.
    """
    import torch

    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda: torch finds no GPU; use auto or cpu")
    cpu = on_cpu(config)
    if cpu:  # or DeepSpeed, where it is installed, says on standard output that it found no GPU
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    from accelerate import PartialState

    with rendezvous():
        return PartialState(cpu=cpu, timeout=TIMEOUT)
