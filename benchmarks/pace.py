"""Trainings in a limited time: how many steps fit is found from a few, or a training is told to end.

pace = measure_pace(lambda on_step: warm_start(short, on_step))
steps = pace.steps_in(60)
train(config, collaborators=ending_at(time.monotonic() + 60))
"""

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

import torch

from elastic_reasoning.training.trl.run import COLLABORATORS, Collaborators
from elastic_reasoning.training.trl.trainer import new_trainer

OnStep = Callable[[int, dict[str, float]], None]
NUM_TIMED = 8
"""Steps, of which the later half is timed, by their median: in the first ones much is done once, and in some later."""
SHARE = 0.92
"""Of the time that is left for steps, what is planned with."""


class EnoughError(Exception):
    """A training is broken off."""


@dataclass(frozen=True)
class Pace:
    """What a training takes.

    Attributes:
        start_seconds: until its first step is over.
        step_seconds: of a step.
    """

    start_seconds: float
    step_seconds: float

    def steps_in(self, seconds: float) -> int:
        """How many steps fit behind the start, two at least."""
        return max(2, int(SHARE * (seconds - self.start_seconds) / self.step_seconds))


def measure_pace(training: Callable[[OnStep], Any]) -> Pace:
    """Begin a training and break it off, before it has saved anything.

    Args:
        training: is told what to call after each step; of more steps than `NUM_TIMED`.
    """
    ends: list[float] = []

    def on_step(step: int, metrics: dict[str, float]) -> None:
        if "loss" in metrics:
            ends.append(time.monotonic())
        if len(ends) == NUM_TIMED:
            raise EnoughError

    began = time.monotonic()
    with suppress(EnoughError):
        training(on_step)
    free_memory()
    later = ends[NUM_TIMED // 2 - 1 :]
    return Pace(ends[0] - began, median(after - before for before, after in pairwise(later)))


def ending_at(deadline: float) -> Collaborators:
    """What GRPO works with, so that it ends with a checkpoint after the first step that ends behind a deadline.

    Args:
        deadline: on `time.monotonic`.
    """
    from transformers import TrainerCallback

    class Ending(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if time.monotonic() > deadline:
                control.should_save = control.should_training_stop = True

    def new_ending_trainer(*args: Any) -> Any:
        trainer = new_trainer(*args)
        trainer.add_callback(Ending())
        return trainer

    return replace(COLLABORATORS, new_trainer=new_ending_trainer)


def free_memory() -> None:
    """Give a GPU's memory back: a trainer holds itself."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
