"""What became of one request that an evaluation tool of others has made: a line of JSON, and their means."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Self

from elastic_reasoning.core.trace import Trace

COUNTS = (
    *("num_thinking_tokens", "num_solution_tokens", "num_forced_tokens", "num_probe_tokens", "num_spent_tokens"),
    "closed_again",
)
RATES = ("budget_hit", "forced_close", "solution_cut", "escaped", "tool_cut")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which request it was.

    Attributes:
        task: what was asked.
        doc_id: number of the document among those that were asked: where only some were chosen (`--samples`), it is not
            the one in the tool's own log.
        sample: which of several answers to it this is.
        prompt_hash: SHA-256 of the prompt as the tool has it, by which a line is found in the tool's own log.
    """

    task: str
    doc_id: int
    sample: int
    prompt_hash: str


@dataclass(frozen=True, slots=True)
class Answer(Asked):
    """What became of it.

    Attributes:
        error: why there is no answer; the tool is then given an empty one.
        stopped_at: the stop string at which the solution was cut, if any.
        num_thinking_tokens, num_solution_tokens, num_forced_tokens, num_probe_tokens, num_spent_tokens: as in `Trace`,
            before that cut.
        budget_hit, forced_close, solution_cut, escaped, closed_again, tool_cut: as in `Trace`.
        thinking: text of thinking.
        solution: what the tool was given.
    """

    error: str | None = None
    stopped_at: str | None = None
    num_thinking_tokens: int = 0
    num_solution_tokens: int = 0
    num_forced_tokens: int = 0
    num_probe_tokens: int = 0
    num_spent_tokens: int = 0
    budget_hit: bool = False
    forced_close: bool = False
    solution_cut: bool = False
    escaped: bool = False
    closed_again: int = 0
    tool_cut: bool = False
    thinking: str = ""
    solution: str = ""

    @classmethod
    def failed(cls, asked: Asked, error: str) -> Self:
        """That of a request that could not be answered."""
        return cls(**asdict(asked), error=error)

    @classmethod
    def of(cls, trace: Trace, asked: Asked, until: Sequence[str]) -> Self:
        """That of a trace, whose solution ends at the first of the stop strings."""
        if trace.error is not None:
            return cls.failed(asked, trace.error)
        solution, stopped_at = cut(trace.solution_text, until)
        return cls(
            **asdict(asked),
            stopped_at=stopped_at,
            **{name: getattr(trace, name) for name in (*COUNTS, *RATES)},
            thinking=trace.thinking_text,
            solution=solution,
        )


def cut(solution: str, until: Sequence[str]) -> tuple[str, str | None]:
    """A solution up to the first of the stop strings, and which one that is.

    White space before it goes: many stop strings are line breaks, and these follow a closing delimiter.
    """
    solution = solution.lstrip()
    found = [(solution.find(stop), stop) for stop in until if stop and stop in solution]
    end, stopped_at = min(found, default=(len(solution), None))
    return solution[:end], stopped_at


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """How many there are, and means of what the answered ones cost."""
    answered = [answer for answer in answers if answer.error is None]
    counts: dict[str, Any] = {"num_requests": len(answers), "num_errors": len(answers) - len(answered)}
    if answered:
        counts |= {f"mean_{name.removeprefix('num_')}": fmean(getattr(a, name) for a in answered) for name in COUNTS}
        counts |= {f"{name}_rate": fmean(getattr(a, name) for a in answered) for name in RATES}
    return counts
