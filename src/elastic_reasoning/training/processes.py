"""The processes that train together, started by `accelerate launch`; one where nothing was launched."""

import os
from datetime import timedelta
from typing import Any

from elastic_reasoning.errors import TrainingError
from elastic_reasoning.training.config import TrainConfig

PATIENCE = timedelta(hours=4)
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


def meet(config: TrainConfig) -> Any:
    """Meet the others: accelerate's state, whose `wait_for_everyone` is a barrier.

    Raises:
        TrainingError: there is no GPU where one is asked for.
    """
    import torch

    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda: torch finds no GPU; use auto or cpu")
    cpu = on_cpu(config)
    if cpu:  # or DeepSpeed, where it is installed, says on standard output that it found no GPU
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    from accelerate import PartialState

    return PartialState(cpu=cpu, timeout=PATIENCE)
