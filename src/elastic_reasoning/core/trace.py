"""What an engine made of a request: its segments, and everything derived from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat, zip_longest
from typing import Any

from elastic_reasoning.core.delimiter import written
from elastic_reasoning.core.errors import RequestError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import INTERRUPTS, Finish, Phase, Probe, Segment
from elastic_reasoning.core.template import Template

LOGPROB_PLACES = 5
"""Decimal places of a log-probability that are written down, and that a strategy may go by."""
MOST_SHOWN = 60
"""Letters of a text that a trace shows of itself."""


@dataclass(frozen=True)
class Trace:
    """One finished completion.

    Attributes:
        request: what was asked.
        segments: every token of the completion, in order.
        template: how the model marks thinking; used to read the segments.
        error: why there is no completion, where there is none.
        num_reused: how many of the sampled tokens were taken from an earlier run of the same draws.
        probes: what a strategy has asked for in between and thrown away, in order.
        branches: the thinkings of one prompt among which a strategy has chosen, each with what became of it; the
            segments are those of the one that was chosen. Empty where there was one thinking alone.
    """

    request: Request
    segments: tuple[Segment, ...]
    template: Template
    error: str | None = None
    num_reused: int = 0
    probes: tuple[Probe, ...] = ()
    branches: "tuple[Trace, ...]" = ()

    def __repr__(self) -> str:
        """What was asked, the error or the counts, and how the texts begin; `segments` has every token."""
        asked = f"Trace({self.request.strategy} {self.request.budget}"
        if self.error is not None:
            return f"{asked}, error={self.error!r})"
        return (
            f"{asked}, thinking={_excerpt(self.thinking_text)} ({self.num_thinking_tokens} tokens"
            f"{', budget hit' * self.budget_hit}), solution={_excerpt(self.solution_text)} "
            f"({self.num_solution_tokens} tokens{', cut' * self.solution_cut}), forced {self.num_forced_tokens})"
        )

    def raise_for_error(self) -> "Trace":
        """The trace itself, where there is one.

        Raises:
            RequestError: the request could not be run.
        """
        if self.error is not None:
            raise RequestError(self.error)
        return self

    @property
    def ids(self) -> tuple[int, ...]:
        """Token ids of the completion `[n]`."""
        return tuple(chain.from_iterable(segment.ids for segment in self.segments))

    @property
    def sampled_mask(self) -> tuple[bool, ...]:
        """True for sampled tokens, False for forced ones `[n]`."""
        return tuple(chain.from_iterable(repeat(s.sampled, len(s.ids)) for s in self.segments))

    @property
    def logprobs(self) -> tuple[float, ...] | None:
        """Log-probabilities `[n]`, 0.0 for forced tokens; `None` where the engine gave none."""
        if any(s.sampled and s.logprobs is None for s in self.segments):
            return None
        return tuple(chain.from_iterable(s.logprobs or repeat(0.0, len(s.ids)) for s in self.segments))

    def _phase(self, phase: Phase) -> Iterator[Segment]:
        return (segment for segment in self.segments if segment.phase is phase)

    def _num_sampled(self, phase: Phase) -> int:
        return sum(len(segment.ids) for segment in self._phase(phase) if segment.sampled)

    @property
    def num_thinking_tokens(self) -> int:
        """Sampled thinking tokens, delimiters not among them."""
        return self._num_sampled(Phase.THINKING)

    @property
    def num_solution_tokens(self) -> int:
        """Sampled solution tokens, the end of sequence among them."""
        return self._num_sampled(Phase.SOLUTION)

    @property
    def num_tool_tokens(self) -> int:
        """Sampled tokens of tool calls, their delimiters among them."""
        return self._num_sampled(Phase.TOOL)

    @property
    def num_sampled_tokens(self) -> int:
        return sum(self.sampled_mask)

    @property
    def num_probe_tokens(self) -> int:
        """Tokens that were sampled in probes; they are no part of the completion, and cost what others cost."""
        return sum(len(probe.segment.ids) for probe in self.probes)

    @property
    def num_spent_tokens(self) -> int:
        """All tokens that were sampled for it: its own, those of probes, and those of branches that were not chosen."""
        if self.branches:
            return sum(branch.num_spent_tokens for branch in self.branches)
        return self.num_sampled_tokens + self.num_probe_tokens

    @property
    def num_forced_tokens(self) -> int:
        return sum(not sampled for sampled in self.sampled_mask)

    def _ids(self, phase: Phase) -> list[int]:
        return list(chain.from_iterable(segment.ids for segment in self._phase(phase)))

    def _text(self, ids: list[int]) -> str:
        if ids and ids[-1] in self.template.eos:
            ids = ids[:-1]
        return self.template.decode(ids) if ids else ""

    @cached_property
    def _closings(self) -> list[int]:
        """How many ids of the solution there are up to each closing delimiter that is written in it.

        In a channel format every message has a header: one with which the solution goes on behind a tool call closes
        nothing.
        """
        ids, closing, tools = self._ids(Phase.SOLUTION), self.template.closing, self.template.tools
        ends = written(closing, ids)
        if tools is None or not tools.resumes:
            return ends
        sizes = [len(s.ids) if s.phase is Phase.SOLUTION else 0 for s in self.segments]
        goes_on = {sum(sizes[: n + 1]) for n, s in enumerate(self.segments) if s.phase is Phase.TOOL}
        return [end for end in ends if end - closing.ends(ids[:end]) not in goes_on]

    @property
    def thinking_text(self) -> str:
        return self._text(self._ids(Phase.THINKING))

    @property
    def solution_text(self) -> str:
        """The solution as it is graded, forced text too.

        Tool calls, the end of sequence and what frames an answer are left out. Where a closing delimiter is written
        again, what stands behind the last one is the solution: what stands before is thinking that goes on
        (`leaked_text`).
        """
        start = self._closings[-1] if self._closings else 0
        return self._unframed(self._text(self._ids(Phase.SOLUTION)[start:]))

    @property
    def leaked_text(self) -> str:
        """Thinking that went on in the solution: all up to the last closing delimiter that is written there again."""
        return self._text(self._ids(Phase.SOLUTION)[: self._closings[-1]]) if self._closings else ""

    def _unframed(self, text: str) -> str:
        """A text without what the format writes before and behind an answer."""
        begin, end = self.template.frame
        if begin and text.lstrip().startswith(begin):
            text = text.lstrip().removeprefix(begin)
        if end and text.rstrip().endswith(end):
            text = text.rstrip().removesuffix(end)
        return text

    @property
    def tool_text(self) -> str:
        """Tool calls as they are written, delimiters and all, without the end of sequence."""
        return self._text(self._ids(Phase.TOOL))

    def _ran_out(self, phase: Phase) -> bool:
        """Whether the tokens of a phase were spent, other than on what turned out to begin a tool call."""
        return any(
            segment.phase is phase and segment.finish in (Finish.LENGTH, Finish.BOUNDARY)
            for segment, after in zip_longest(self.segments, self.segments[1:])
            if after is None or after.phase is not Phase.TOOL
        )

    @property
    def budget_hit(self) -> bool:
        """Whether thinking was ended by its budget, at the wall or in the grace window."""
        return self._ran_out(Phase.THINKING)

    @property
    def closed_by_deadline(self) -> bool:
        """Whether thinking was ended by time."""
        return any(segment.finish is Finish.DEADLINE for segment in self._phase(Phase.THINKING))

    @property
    def interrupts(self) -> dict[int, Finish]:
        """How many ids there were at each interrupt, and which it was; with ids and mask, all that a replay needs."""
        found: dict[int, Finish] = {}
        position = 0
        for segment, after in zip_longest(self.segments, self.segments[1:]):
            position += len(segment.ids)
            if segment.finish in INTERRUPTS:
                begun = after is not None and after.sampled and after.finish is None  # of a delimiter, by the same call
                found.setdefault(position + (len(after.ids) if begun else 0), segment.finish)
        return found

    @property
    def forced_close(self) -> bool:
        """Whether any part of the closing delimiter was forced."""
        return any(not segment.sampled for segment in self._phase(Phase.CLOSING))

    @property
    def solution_cut(self) -> bool:
        """Whether the solution ran into its budget. One that was cut by time is `cut`."""
        return self._ran_out(Phase.SOLUTION)

    @property
    def cut(self) -> bool:
        """Whether tokens or time ran out, or the request was given up, before the sequence had ended."""
        return bool(self.segments) and self.segments[-1].finish in (Finish.LENGTH, Finish.DEADLINE, Finish.ABORT)

    @property
    def closed_again(self) -> int:
        """How often a closing delimiter is written in the solution, where thinking is closed already."""
        return len(self._closings)

    @property
    def tool_cut(self) -> bool:
        """Whether a tool call was cut, as far as it is known how calls are written.

        The context or an interrupt cuts a call that a request offers. A budget may cut one that it does not, or under
        a strategy that knows no calls.
        """
        tools = self.template.tools
        return any(
            segment.finish in (Finish.LENGTH, Finish.BOUNDARY, *INTERRUPTS)
            and (segment.phase is Phase.TOOL or (tools is not None and tools.left_open(segment.ids)))
            for segment in self.segments
        )

    @property
    def escaped(self) -> bool:
        """Whether thinking was opened again within the solution."""
        return bool(written(self.template.opening, self._ids(Phase.SOLUTION)))

    def to_dict(self) -> dict[str, Any]:
        """Segments, error and reuse as plain JSON; the request is the caller's to store."""
        segments = [
            {
                "phase": str(s.phase),
                "ids": list(s.ids),
                "sampled": s.sampled,
                "logprobs": _rounded(s.logprobs),
                "finish": None if s.finish is None else str(s.finish),
            }
            for s in self.segments
        ]
        probes = [
            {
                "position": probe.position,
                "forced": list(probe.forced),
                "ids": list(probe.segment.ids),
                "logprobs": _rounded(probe.segment.logprobs),
                "finish": None if probe.segment.finish is None else str(probe.segment.finish),
            }
            for probe in self.probes
        ]
        branches = [{"budget": str(branch.request.budget), **branch.to_dict()} for branch in self.branches]
        told = {"segments": segments, "error": self.error, "num_reused": self.num_reused}
        return told | ({"probes": probes} if probes else {}) | ({"branches": branches} if branches else {})


def _rounded(logprobs: tuple[float, ...] | None) -> list[float] | None:
    return None if logprobs is None else [round(value, LOGPROB_PLACES) for value in logprobs]


def _excerpt(text: str) -> str:
    """A text on one line, its middle left out."""
    line = repr(text)
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN // 2]} ... {line[-MOST_SHOWN // 2 :]}"
