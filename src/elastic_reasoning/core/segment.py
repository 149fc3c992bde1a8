"""What came back for a request, piece by piece: segments of sampled and forced tokens, and why each of them ended."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What a segment is part of."""

    OPENING = "opening"
    """The opening delimiter, where the prompt does not hold it."""
    THINKING = "thinking"
    WRAP_UP = "wrap_up"
    """Text that is forced between thinking and a forced closing delimiter."""
    CLOSING = "closing"
    """The closing delimiter, sampled or forced; half and half where the budget cut it."""
    SOLUTION = "solution"
    TOOL = "tool"
    """A tool call: counted neither in thinking nor in the solution, and cut by neither budget."""
    PROBE = "probe"
    """What a strategy has asked for and thrown away: counted apart, and no part of the completion."""


class Finish(StrEnum):
    """Why sampling of a segment ended."""

    DELIMITER = "delimiter"
    """The model wrote the delimiter that was waited for."""
    EOS = "eos"
    """The model ended the sequence. In thinking the end token is discarded, in a solution or a tool call it is kept."""
    LENGTH = "length"
    """The tokens were spent."""
    BOUNDARY = "boundary"
    """A line or sentence ended in the grace window."""
    PAUSE = "pause"
    """The strategy wanted to look at what there is; its phase may go on."""
    LOOP = "loop"
    """The last tokens were one stretch, written over and over."""
    DEADLINE = "deadline"
    """The phase was closed by time. What follows it follows as if its tokens were spent."""
    STOP = "stop"
    """The caller ended the request, and takes what there is."""
    ABORT = "abort"
    """The request was given up."""


INTERRUPTS = (Finish.DEADLINE, Finish.STOP, Finish.ABORT)
"""What comes from outside of the request, at any token."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of one phase, all sampled or all forced.

    Attributes:
        ids: token ids `[n]`.
        sampled: False for forced tokens.
        logprobs: natural logarithms `[n]`, after temperature and before top-p and top-k; `None` where unknown.
        finish: why sampling ended; `None` for forced tokens and for a sampled delimiter.
    """

    phase: Phase
    ids: tuple[int, ...]
    sampled: bool
    logprobs: tuple[float, ...] | None = None
    finish: Finish | None = None

    def __post_init__(self) -> None:
        if self.logprobs is not None and len(self.logprobs) != len(self.ids):
            raise ValueError(f"{len(self.logprobs)} log-probabilities for {len(self.ids)} ids")


@dataclass(frozen=True, slots=True)
class Probe:
    """What was forced and sampled at one place of a completion, and taken back.

    Attributes:
        position: ids of the completion that stood before it.
        forced: ids `[n]`.
        segment: what was sampled behind them.
    """

    position: int
    forced: tuple[int, ...]
    segment: Segment
