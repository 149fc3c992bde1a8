"""What a trace consists of, as a record keeps it: segments, probes and branches, with their texts.

parts_of(trace)[0]["text"]              # what was thought
probes_of(trace)[0].answered            # what was answered where thinking was probed
branches_of(trace)[1].is_chosen         # whether the second of several thinkings is the one that was taken
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypedDict

from elastic_reasoning.core.segment import Finish, Phase, Segment
from elastic_reasoning.core.siblings import vote_of
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import LOGPROB_PLACES, Trace
from elastic_reasoning.untrusted.json import Count


class Part(TypedDict):
    """A segment with its text."""

    phase: str
    ids: list[Count]
    sampled: bool
    finish: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ProbePart:
    """What was asked at one place of a completion, answered, and taken back.

    Two that differ in log-probabilities alone are equal.
    """

    position: Count
    """Ids of the completion that stood before it."""
    forced: list[Count]
    asked: str
    """The text of what was forced."""
    ids: list[Count]
    """What was sampled behind it."""
    answered: str
    """The text of that."""
    finish: str | None
    logprobs: list[float] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """One of several thinkings of one prompt, with the solution that it came to, if it did.

    Two that differ in log-probabilities alone are equal.
    """

    budget: str
    """Its own, as text."""
    is_chosen: bool
    """Whether the completion is this one."""
    solution: str
    """The text by which it was judged; empty where it came to none."""
    votes_for: str
    """The answer, as it is read where no grader is asked; empty where it has none."""
    error: str | None
    segments: list[Part]
    probes: list[ProbePart]
    logprobs: list[list[float] | None] = field(default_factory=list, compare=False)

    @property
    def num_spent_tokens(self) -> int:
        """All tokens that were sampled for it, those of probes among them."""
        return num_sampled(self.segments) + num_probed(self.probes)

    @property
    def finish(self) -> str | None:
        """How it ended: `stop` where others had decided before it was over; `None` for one that has nothing sampled."""
        return next((part["finish"] for part in reversed(self.segments) if part["finish"] is not None), None)


def num_sampled(parts: Iterable[Part], phase: Phase | None = None) -> int:
    """The sampled tokens of segments, or of those of one phase."""
    return sum(len(part["ids"]) for part in parts if part["sampled"] and phase in (None, part["phase"]))


def num_probed(probes: Iterable[ProbePart]) -> int:
    """The sampled tokens of probes."""
    return sum(len(probe.ids) for probe in probes)


def parts_of(trace: Trace) -> list[Part]:
    """The segments of a trace. What a pause divides makes up the text that it was."""
    return [
        Part(
            phase=str(segment.phase),
            ids=list(segment.ids),
            sampled=segment.sampled,
            finish=_name(segment.finish),
            text=_text(trace.template, segment, before),
        )
        for before, segment in pairwise((None, *trace.segments))
        if segment is not None
    ]


def _text(template: Template, segment: Segment, before: Segment | None) -> str:
    if not segment.ids:
        return ""
    if before is not None and before.finish is Finish.PAUSE and before.phase is segment.phase and segment.sampled:
        begun, both = template.decode(before.ids), template.decode((*before.ids, *segment.ids))
        if both.startswith(begun):  # else it was divided within a letter
            return both.removeprefix(begun)
    return template.decode(segment.ids)


def joined_text(parts: Iterable[Part], forced: bool = True) -> str:
    """The text of segments that follow each other, a blank between those that are not one text divided by a pause.

    Args:
        parts: all of a phase.
        forced: those that were forced too.
    """
    text, paused = "", False
    for part in parts:
        if forced or part["sampled"]:
            text += part["text"] if not text or (paused and part["sampled"]) else f" {part['text']}"
        paused = part["finish"] == Finish.PAUSE
    return text


def logprobs_of(trace: Trace) -> list[list[float] | None]:
    """The log-probabilities of each segment."""
    return [_rounded(segment) for segment in trace.segments]


def probes_of(trace: Trace) -> list[ProbePart]:
    """What a trace has asked for and taken back."""
    decode = trace.template.decode
    return [
        ProbePart(
            position=probe.position,
            forced=list(probe.forced),
            asked=decode(probe.forced) if probe.forced else "",
            ids=list(probe.segment.ids),
            answered=decode(probe.segment.ids) if probe.segment.ids else "",
            finish=_name(probe.segment.finish),
            logprobs=_rounded(probe.segment),
        )
        for probe in trace.probes
    ]


def branches_of(trace: Trace) -> list[Branch]:
    """The thinkings among which a trace was chosen. The first one with its segments is the chosen one."""
    same = [number for number, branch in enumerate(trace.branches) if branch.segments == trace.segments != ()]
    return [
        Branch(
            budget=str(branch.request.budget),
            is_chosen=number in same[:1],
            solution="" if branch.error or trace.error else branch.solution_text,
            votes_for="" if branch.error else vote_of(branch),
            error=branch.error,
            segments=parts_of(branch),
            probes=probes_of(branch),
            logprobs=logprobs_of(branch),
        )
        for number, branch in enumerate(trace.branches)
    ]


def _name(finish: Finish | None) -> str | None:
    return None if finish is None else str(finish)


def _rounded(segment: Segment) -> list[float] | None:
    return None if segment.logprobs is None else [round(each, LOGPROB_PLACES) for each in segment.logprobs]
