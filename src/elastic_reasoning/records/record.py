"""One graded trace as one line of JSON.

line = Record.of(trace, "mini", problem.id, grade).to_json()
Record.from_json(line).correct
"""

import json
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from typing import Annotated, Any, TypedDict, get_type_hints

from msgspec import NODEFAULT, Meta, Struct, defstruct

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, GradingError, RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import facts_of
from elastic_reasoning.core.trace import Phase, Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.untrusted.json import Count, Fault, MalformedError, decode

NOT_GRADED = "not graded: "
"""What the error of a record begins with whose solution could not be graded."""

Key = tuple[str, str, str, str, int]
"""(model, strategy, budget, problem, sample)"""


class Part(TypedDict):
    """A segment with its text."""

    phase: str
    ids: list[Count]
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

    @property
    def closed_by_prompt(self) -> bool:
        """Whether the prompt had closed thinking, so that the thinking budget had no effect."""
        thinks_first = facts_of(self.strategy).thinks_first
        return thinks_first and bool(self.segments) and self.segments[0]["phase"] == Phase.SOLUTION

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
            values: Any = decode(line, _Line)
        except MalformedError as error:
            raise RecordsError("not JSON" if error.fault is Fault.SYNTAX else f"not a record ({error})") from None
        try:
            _parsed(values.budget)
        except BudgetError as error:
            raise RecordsError(f"not a record ({error})") from None
        return cls(*(getattr(values, name) for name in _NAMES))


_parsed = lru_cache(Budget.parse)
_NAMES = [each.name for each in fields(Record)]


def _line_of(record: type[Record]) -> type[Struct]:
    """What a line must hold: the fields of a record, and nothing else."""
    hints = get_type_hints(record, include_extras=True)
    lines = [
        (each.name, hints[each.name], NODEFAULT if each.default is MISSING else each.default) for each in fields(record)
    ]
    return defstruct("Line", lines, forbid_unknown_fields=True)


_Line = _line_of(Record)
