"""What whoever listens to a request is told, as its tokens come."""

from collections.abc import Callable
from dataclasses import dataclass

from elastic_reasoning.core.segment import Finish, Phase


@dataclass(slots=True)
class Delta:
    """What a listener is told: the next tokens of a segment. Those of a request, put together, are its segments.

    What may still become part of a delimiter is held back, so that nothing that was told is ever taken back.

    Attributes:
        phase, sampled: of the segment.
        ids: new token ids `[n]`.
        logprobs: of the new tokens `[n]`; `None` for forced ones, and where the engine gives none.
        finish: why sampling ended, with the last tokens of a segment.
        last: whether the segment ends with these tokens.
    """

    phase: Phase
    ids: tuple[int, ...]
    sampled: bool
    logprobs: tuple[float, ...] | None
    finish: Finish | None
    last: bool


Listen = Callable[[Delta], None]
"""Called in the thread that computes; what it raises is raised by whoever waits for the walk, which is aborted."""
