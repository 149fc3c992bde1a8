"""What a strategy says to an interpreter, one step at a time, and what comes back for it."""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum

from elastic_reasoning.core.counted_text import CountedText
from elastic_reasoning.core.delimiter import Delimiter
from elastic_reasoning.core.segment import Finish, Phase, Segment


class OnEos(StrEnum):
    """What a sampled end of sequence does."""

    END = "end"
    """It is kept, and the call is over."""
    DISCARD = "discard"
    """It is taken back, and the call is over."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a call is over before its tokens are, so that its strategy may look at what came and say how to go on.

    Never at its last token, and never within what may become its delimiter: then later.

    Attributes:
        every: after so many tokens of the call; 0 for no such pause.
        boundaries: where a line or a sentence ends.
        words: what is to be written there.
        start: tokens of the call before which none of these pauses.
    """

    every: int = 0
    boundaries: bool = False
    words: Delimiter | None = None
    start: int = 1

    def __bool__(self) -> bool:
        """Whether there is anything to pause at."""
        return bool(self.every or self.boundaries or self.words)


@dataclass(frozen=True, slots=True)
class Ramp:
    """The end of a call at which a delimiter becomes likelier with every token.

    Attributes:
        delimiter: what becomes likelier: at each token, the id that begins it or goes on with it.
        num_tokens: how many of the last of `Call.max_tokens` are raised.
        peak: what is added to the logit of that id at the last of them, in nats; at the n-th it is that share of it.
    """

    delimiter: Delimiter
    num_tokens: int
    peak: float


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
        forbidden: ids that cannot be sampled in all of the call.
        grace: among the last so many of `max_tokens`, a line or sentence end ends the call.
        ramp: see `Ramp`; without `max_tokens` there is no end to raise.
        pause: see `Pause`.
        loop: the call is over where its last so many tokens are one stretch, written over and over
            (`elastic_reasoning.core.loops`); 0 for never.
        wrap_up: what its strategy forces before the delimiter that it forces where the call ends without one.
        probe: what is forced and sampled is no part of the completion: it is shown to the strategy, kept in
            `Trace.probes`, and taken back. Its phase is `Phase.PROBE`.
        tail: how many of the last ids of the call before belong to a delimiter. Of a probe: how many of the last ids
            it does not show; they come back behind it.
        tail_phase: the phase that those ids become; `None` takes them back.
    """

    phase: Phase
    max_tokens: int | None
    forced: tuple[tuple[Phase, tuple[int, ...]], ...] = ()
    stop: Delimiter | None = None
    on_eos: OnEos = OnEos.END
    min_tokens: int = 0
    banned: frozenset[int] = frozenset()
    forbidden: frozenset[int] = frozenset()
    grace: int = 0
    ramp: Ramp | None = None
    pause: Pause | None = None
    loop: int = 0
    wrap_up: CountedText | None = None
    probe: bool = False
    tail: int = 0
    tail_phase: Phase | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine sampled for one call.

    Attributes:
        ids: sampled ids `[n]`, those of a delimiter that ended the call among them; a discarded end of sequence
            is not.
        logprobs: `[n]`, or `None` where the engine gives none.
        finish: why the call ended.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None
    finish: Finish


@dataclass(frozen=True, slots=True)
class Step:
    """A call with the position in the completion at which its sampling began, and what came back."""

    position: int
    call: Call
    completion: Completion


Calls = Generator[Call, Segment, None]
