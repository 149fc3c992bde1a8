"""One graded trace.

record = Record.of(trace, "mini", problem.id, grade)
record.correct, record.num_sampled_tokens

`elastic_reasoning.records.lines` says how it is written.
"""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, TypedDict

from msgspec import Meta

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import facts_of
from elastic_reasoning.core.trace import Phase, Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.untrusted.json import Count

NOT_GRADED = "not graded: "
"""What the error of a record begins with whose solution could not be graded."""

Key = tuple[str, str, str, str, int]
"""(model, strategy, budget, problem, sample)"""


TENTHS = 10


class Part(TypedDict):
    """A segment with its text."""

    phase: str
    ids: list[Count]
    sampled: bool
    finish: str | None
    text: str


class Thought(NamedTuple):
    """What was measured in a record's thinking (`elastic_reasoning.records.measures`)."""

    measures: dict[str, float]
    """By name; one that has nothing to say of this thought is left out."""
    tenths: Annotated[list[float | None], Meta(min_length=TENTHS, max_length=TENTHS)]
    """Mean words of the parts that begin in each tenth of it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One graded trace.

    Attributes:
        model, strategy: who answered, and how the budget was spent.
        budget: as text, for example "24+20"; `Budget.parse` reads it.
        problem, sample: what was answered, and which of several samples this is.
        correct: the verdict; `None` where there is an error, which is not a wrong answer.
        answer, reason: the answer that was found, and why it is not correct.
        unboxed: a box was asked for, and the solution has none.
        error: why there is no completion, or no grade.
        num_thinking_tokens, num_solution_tokens, num_forced_tokens, num_reused_tokens: as in `Trace`.
        budget_hit, forced_close, solution_cut, escaped, closed_again, tool_cut: as in `Trace`.
        segments: every token of the completion, in order.
        solution: the text that was graded.
        rule: by which rule the answer is correct, where its grader has several; else empty.
        seconds: how long the run took from the record before to this one; over the records of a model they add up
            to the time that the run took.
        logprobs: for each segment, the log-probability of each token, rounded to five places, or `None`.
        thought: what was measured when it was first written; `None` for a record that was not yet.

    Two records that differ in nothing but the last three are equal.
    """

    model: str
    strategy: str
    budget: str
    problem: str
    sample: Count
    correct: bool | None
    answer: str | None
    reason: str | None
    unboxed: bool
    error: str | None
    num_thinking_tokens: Count
    num_solution_tokens: Count
    num_forced_tokens: Count
    num_reused_tokens: Count
    budget_hit: bool
    forced_close: bool
    solution_cut: bool
    escaped: bool
    segments: list[Part]
    solution: str = ""
    rule: str = ""
    closed_again: Count = 0
    tool_cut: bool = False
    seconds: Annotated[float, Meta(ge=0, le=1e15)] = field(default=0.0, compare=False)
    logprobs: list[list[float] | None] = field(default_factory=list, compare=False)
    thought: Thought | None = field(default=None, compare=False)

    @property
    def key(self) -> Key:
        """What makes it one of a kind within a folder."""
        return self.model, self.strategy, self.budget, self.problem, self.sample

    @property
    def setting(self) -> Setting:
        """Who answered under what."""
        return Setting.of(self.model, self.strategy, self.budget)

    @property
    def num_sampled_tokens(self) -> int:
        """Every sampled token, those of a sampled delimiter among them."""
        return sum(len(part["ids"]) for part in self.segments if part["sampled"])

    @property
    def closed_by_prompt(self) -> bool:
        """Whether the prompt had closed thinking, so that the thinking budget had no effect."""
        thinks_first = facts_of(self.strategy).thinks_first
        return thinks_first and bool(self.segments) and self.segments[0]["phase"] == Phase.SOLUTION

    def text_of(self, phase: Phase) -> str:
        """All text of a phase, what was forced in it too."""
        return " ".join(part["text"] for part in self.segments if part["phase"] == phase)

    @classmethod
    def without_trace(cls, key: Key, error: str) -> "Record":
        """The record of what could not be asked."""
        return cls(
            *key,
            correct=None,
            answer=None,
            reason=None,
            unboxed=False,
            error=error,
            num_thinking_tokens=0,
            num_solution_tokens=0,
            num_forced_tokens=0,
            num_reused_tokens=0,
            budget_hit=False,
            forced_close=False,
            solution_cut=False,
            escaped=False,
            segments=[],
        )

    @classmethod
    def of(
        cls, trace: Trace, model: str, problem_id: str, grade: Grade | GradingError | None, seconds: float = 0.0
    ) -> "Record":
        """The record of a trace; a trace with an error needs no grade, and one that is given is not used."""
        request = trace.request
        if trace.error is None and grade is None:
            raise ValueError(f"the trace of problem {problem_id!r} has no error and must be graded")
        graded = grade if isinstance(grade, Grade) and trace.error is None else None
        not_graded = f"{NOT_GRADED}{grade}" if isinstance(grade, GradingError) else None
        return cls(
            model=model,
            strategy=request.strategy,
            budget=str(request.budget),
            problem=problem_id,
            sample=request.sample,
            correct=None if graded is None else graded.correct,
            answer=None if graded is None else graded.answer,
            reason=None if graded is None else graded.reason,
            unboxed=graded is not None and graded.unboxed,
            error=trace.error if trace.error is not None else not_graded,
            num_thinking_tokens=trace.num_thinking_tokens,
            num_solution_tokens=trace.num_solution_tokens,
            num_forced_tokens=trace.num_forced_tokens,
            num_reused_tokens=trace.num_reused,
            budget_hit=trace.budget_hit,
            forced_close=trace.forced_close,
            solution_cut=trace.solution_cut,
            escaped=trace.escaped,
            segments=[
                Part(
                    phase=str(segment.phase),
                    ids=list(segment.ids),
                    sampled=segment.sampled,
                    finish=None if segment.finish is None else str(segment.finish),
                    text=trace.template.decode(segment.ids) if segment.ids else "",
                )
                for segment in trace.segments
            ],
            solution=trace.solution_text if trace.error is None else "",
            rule="" if graded is None else graded.rule,
            closed_again=trace.closed_again,
            tool_cut=trace.tool_cut,
            seconds=round(seconds, 4),
            logprobs=[
                None if segment.logprobs is None else [round(each, 5) for each in segment.logprobs]
                for segment in trace.segments
            ],
        )
