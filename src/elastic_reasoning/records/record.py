"""One graded trace.

record = Record.of(trace, "mini", problem.id, grade)
record.correct, record.num_sampled_tokens

`elastic_reasoning.records.lines` says how it is written.
"""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from msgspec import Meta

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import facts_of
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.tally import Tally
from elastic_reasoning.records.parts import (
    Branch,
    Part,
    ProbePart,
    branches_of,
    joined_text,
    logprobs_of,
    num_probed,
    num_sampled,
    parts_of,
    probes_of,
)
from elastic_reasoning.untrusted.json import Count

NOT_GRADED = "not graded: "
"""What the error of a record begins with whose solution could not be graded."""

Key = tuple[str, str, str, str, int]
"""(model, strategy, budget, problem, sample)"""

SPENT = ("num_sampled_tokens", "num_probe_tokens", "num_branch_tokens")
"""What a record's tokens were spent on, by the names of its counts."""
TENTHS = 10


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
        tallies: what its grader counted beside the verdict.
        seconds: how long the run took from the record before to this one; over the records of a model they add up
            to the time that the run took.
        logprobs: for each segment, the log-probability of each token, rounded to five places, or `None`.
        thought: what was measured when it was first written; `None` for a record that was not yet.
        probes: what was asked for in between and taken back, in order; no part of the completion.
        branches: the thinkings of one prompt among which the completion was chosen; empty where there was one alone.

    Two records that differ in nothing but `seconds`, log-probabilities and `thought` are equal.
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
    tallies: tuple[Tally, ...] = ()
    closed_again: Count = 0
    tool_cut: bool = False
    seconds: Annotated[float, Meta(ge=0, le=1e15)] = field(default=0.0, compare=False)
    logprobs: list[list[float] | None] = field(default_factory=list, compare=False)
    thought: Thought | None = field(default=None, compare=False)
    probes: list[ProbePart] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)

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
        """Every sampled token of the completion, those of a sampled delimiter among them."""
        return num_sampled(self.segments)

    @property
    def num_probe_tokens(self) -> int:
        """Tokens that were sampled in the completion's probes."""
        return num_probed(self.probes)

    @property
    def num_branch_tokens(self) -> int:
        """Tokens that were sampled in branches that were not chosen, those of their probes among them."""
        return sum(branch.num_spent_tokens for branch in self.branches if not branch.is_chosen)

    @property
    def num_spent_tokens(self) -> int:
        """All tokens that were sampled for it, as in `Trace`: what counts where tokens are compared."""
        return sum(getattr(self, name) for name in SPENT)

    @property
    def closed_by_prompt(self) -> bool:
        """Whether the prompt had closed thinking, so that the thinking budget had no effect."""
        thinks_first = facts_of(self.strategy).thinks_first
        return thinks_first and bool(self.segments) and self.segments[0]["phase"] == Phase.SOLUTION

    def text_of(self, phase: Phase) -> str:
        """All text of a phase, what was forced in it too."""
        return joined_text(part for part in self.segments if part["phase"] == phase)

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
        branches = branches_of(trace)
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
            segments=parts_of(trace),
            solution=trace.solution_text if trace.error is None else "",
            rule="" if graded is None else graded.rule,
            tallies=() if graded is None else graded.tallies,
            closed_again=trace.closed_again,
            tool_cut=trace.tool_cut,
            seconds=round(seconds, 4),
            logprobs=logprobs_of(trace),
            probes=next((branch.probes for branch in branches if branch.is_chosen), probes_of(trace)),
            branches=branches,
        )
