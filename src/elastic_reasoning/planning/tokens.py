"""Tokens of some records, by what they are.

Tokens.of_record(record) + Tokens.of_record(another)
"""

from dataclasses import dataclass, fields, replace

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.records.record import Record


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of some records, all as they stand in the records but for `prompt`, which engines read.

    Attributes:
        records: how many there are.
        errors: of these, requests that cannot be run.
        thinking, solution: sampled within each phase.
        sampled: in all, delimiters, probes and branches among them.
        reused: of these, taken from another budget's thinking.
        forced: put in by the strategy.
        prompt: read by the engine.
    """

    records: float = 0
    errors: float = 0
    thinking: float = 0
    solution: float = 0
    sampled: float = 0
    reused: float = 0
    forced: float = 0
    prompt: float = 0

    @property
    def generated(self) -> float:
        """Sampled for these records, and not before."""
        return self.sampled - self.reused

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Tokens)))

    def times(self, factor: float) -> "Tokens":
        """Of so many times the records."""
        return Tokens(*(getattr(self, each.name) * factor for each in fields(self)))

    def like(self, other: "Tokens") -> "Tokens":
        """As many records as another one has, with its prompts, at so many tokens each."""
        return replace(self.times(other.records / max(1.0, self.records)), prompt=other.prompt)

    @classmethod
    def of_record(cls, record: Record) -> "Tokens":
        """Of one record, which does not tell what of its prompt was read."""
        return cls(
            records=1,
            errors=record.error is not None,
            thinking=record.num_thinking_tokens,
            solution=record.num_solution_tokens,
            sampled=record.num_spent_tokens,
            reused=record.num_reused_tokens,
            forced=record.num_forced_tokens,
        )

    @classmethod
    def of(cls, trace: Trace, num_prompt: int) -> "Tokens":
        """Of one trace."""
        sampled = [each for each in trace.segments if each.sampled]

        def within(phase: Phase) -> int:
            return sum(len(each.ids) for each in sampled if each.phase is phase)

        return cls(
            records=1,
            errors=trace.error is not None,
            thinking=within(Phase.THINKING),
            solution=within(Phase.SOLUTION),
            sampled=trace.num_spent_tokens,
            reused=trace.num_reused,
            forced=sum(len(each.ids) for each in trace.segments if not each.sampled),
            prompt=num_prompt,
        )
