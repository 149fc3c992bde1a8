"""How many steps of a training fit into a time: found by making a few of them.

pace = measure_pace(lambda on_step: train(config, on_step), seconds=20)
steps = pace.steps_in(seconds=100, num_saves=2, save_seconds=5)
"""

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

OnStep = Callable[[int, dict[str, float]], None]
NUM_TIMED = 8
"""Steps at the most, of which the later half is timed: in the first ones much is done once."""
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

    def steps_in(self, seconds: float, num_saves: int, save_seconds: float) -> int:
        """How many steps fit, beside the start and some checkpoints, two at least."""
        left = seconds - self.start_seconds - num_saves * save_seconds
        return max(2, int(SHARE * left / self.step_seconds))

    def save_seconds(self, seconds: float, steps: int, num_saves: int) -> float:
        """What a checkpoint took in a training that took so long."""
        return max(0.0, seconds - self.start_seconds - steps * self.step_seconds) / num_saves


def measure_pace(training: Callable[[OnStep], Any], seconds: float) -> Pace:
    """Begin a training and break it off, before it has saved anything.

    Args:
        training: is told what to call after each step; of more steps than `NUM_TIMED`.
        seconds: after which two steps are enough.
    """
    ends: list[float] = []

    def on_step(step: int, metrics: dict[str, float]) -> None:
        if "loss" in metrics:
            ends.append(time.monotonic())
        if len(ends) == NUM_TIMED or (len(ends) > 1 and ends[-1] - began > seconds):
            raise EnoughError

    began = time.monotonic()
    with suppress(EnoughError):
        training(on_step)
    free_memory()
    half = len(ends) // 2
    return Pace(ends[0] - began, (ends[-1] - ends[-1 - half]) / half)


def ended_at(deadline: float, on_step: OnStep, can_end: Callable[[], bool]) -> OnStep:
    """Calls what it is given, and breaks a training off whose time is over, once there is something to keep.

    Args:
        deadline: on `time.monotonic`.
        on_step: is called after each step.
        can_end: whether there is a checkpoint.
    """

    def call(step: int, metrics: dict[str, float]) -> None:
        on_step(step, metrics)
        if time.monotonic() > deadline and can_end():
            raise EnoughError

    return call


def free_memory() -> None:
    """Give a GPU's memory back: a trainer holds itself."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
