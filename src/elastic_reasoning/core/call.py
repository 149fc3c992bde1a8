"""What a strategy says to an interpreter: one step at a time."""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum

from elastic_reasoning.core.delimiter import Delimiter
from elastic_reasoning.core.trace import Phase, Segment


class OnEos(StrEnum):
    """What a sampled end of sequence does."""

    END = "end"
    """It is kept, and the call is over."""
    DISCARD = "discard"
    """It is taken back, and the call is over."""


@dataclass(frozen=True, slots=True)
class Call:
    """One step of a strategy.

    Attributes:
        phase: of what is sampled.
        max_tokens: tokens to sample at the most, a delimiter's among them; `None` for no limit.
        forced: (phase, ids) to append before sampling.
        stop: the delimiter that ends the call.
        on_eos: what a sampled end of sequence does; either way it ends the call.
        min_tokens: while fewer are sampled, `banned` ids cannot be.
        banned: see `min_tokens`.
        grace: among the last so many of `max_tokens`, a line or sentence end ends the call.
        tail: how many of the last ids of the call before belong to a delimiter.
        tail_phase: the phase that those ids become; `None` takes them back.
    """

    phase: Phase
    max_tokens: int | None
    forced: tuple[tuple[Phase, tuple[int, ...]], ...] = ()
    stop: Delimiter | None = None
    on_eos: OnEos = OnEos.END
    min_tokens: int = 0
    banned: frozenset[int] = frozenset()
    grace: int = 0
    tail: int = 0
    tail_phase: Phase | None = None


Calls = Generator[Call, Segment, None]
