"""One graded trace as one line of JSON.

line = Record.of(trace, "mini", problem.id, grade).to_json()
Record.from_json(line).correct
"""

import json
from dataclasses import dataclass, field, fields
from typing import TypedDict

from elastic_reasoning.errors import GradingError, RecordsError
from elastic_reasoning.evaluation.setting import Setting
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.trace import Trace

NOT_GRADED = "not graded: "
"""What the error of a record begins with whose solution could not be graded."""

Key = tuple[str, str, str, str, int]
"""(model, strategy, budget, problem, sample)"""


class Part(TypedDict):
    """A segment with its text."""

    phase: str
    ids: list[int]
    sampled: bool
    finish: str | None
    text: str


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
            to the time that the run took. Two records that differ in nothing else are equal.
    """

    model: str
    strategy: str
    budget: str
    problem: str
    sample: int
    correct: bool | None
    answer: str | None
    reason: str | None
    unboxed: bool
    error: str | None
    num_thinking_tokens: int
    num_solution_tokens: int
    num_forced_tokens: int
    num_reused_tokens: int
    budget_hit: bool
    forced_close: bool
    solution_cut: bool
    escaped: bool
    segments: list[Part]
    solution: str = ""
    rule: str = ""
    closed_again: int = 0
    tool_cut: bool = False
    seconds: float = field(default=0.0, compare=False)

    @property
    def key(self) -> Key:
        """What makes it one of a kind within a folder."""
        return self.model, self.strategy, self.budget, self.problem, self.sample

    @property
    def setting(self) -> Setting:
        """Who answered under what."""
        return Setting(self.model, self.strategy, self.budget)

    @property
    def num_sampled_tokens(self) -> int:
        """Every sampled token, those of a sampled delimiter among them."""
        return sum(len(part["ids"]) for part in self.segments if part["sampled"])

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
        )

    def to_json(self) -> str:
        """One line, without the newline."""
        data = {name: getattr(self, name) for name in _NAMES}
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> "Record":
        """The record that `to_json` wrote.

        Raises:
            RecordsError: the line is not a record.
        """
        try:
            data = json.loads(line)
        except ValueError:
            raise RecordsError("not JSON") from None
        if not isinstance(data, dict):
            raise RecordsError("not a record (not a JSON object)")
        wrong = ", ".join(sorted((_REQUIRED - data.keys()) | (data.keys() - set(_NAMES))))
        if wrong:
            raise RecordsError(f"not a record (missing or unknown: {wrong})")
        return cls(**data)


_NAMES = [each.name for each in fields(Record)]
_REQUIRED = set(_NAMES) - {"rule", "closed_again", "tool_cut"}  # which records of before they were kept have not
