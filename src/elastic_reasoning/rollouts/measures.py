"""What a trainer's log says of rollouts: tokens of each phase, how often the budget was felt, and how grading went.

mean_measures([measures_of(one) for one in scored])     # {"accuracy": 0.4, "thinking_tokens": 23.1, ...}
"""

from collections.abc import Mapping, Sequence

from elastic_reasoning.core.trace import Trace
from elastic_reasoning.rollouts.scoring import Scored

OF_TRACES = (
    *("thinking_tokens", "solution_tokens", "forced_rate", "cut_rate", "closed_again_rate", "escape_rate"),
    "sampled_tokens",
)
OF_GRADES = ("accuracy", "no_answer_rate", "failed_rate")


def num_drawn(trace: Trace) -> int:
    """Tokens that were sampled for a rollout, in probes and other branches too: those that several cuts share count
    once.
    """
    return 0 if trace.error is not None else trace.num_spent_tokens - trace.num_reused


def trace_measures(trace: Trace) -> dict[str, float]:
    """What one rollout says of itself; of one that could not be made, that nothing was sampled."""
    if trace.error is not None:
        return {"sampled_tokens": 0.0}
    return {
        "thinking_tokens": float(trace.num_thinking_tokens),
        "solution_tokens": float(trace.num_solution_tokens),
        "sampled_tokens": float(num_drawn(trace)),
        "forced_rate": float(trace.forced_close),
        "cut_rate": float(trace.cut),
        "closed_again_rate": float(trace.closed_again > 0),
        "escape_rate": float(trace.escaped),
    }


def measures_of(scored: Scored) -> dict[str, float]:
    """What one rollout and its grade say, each where there is one."""
    measures = trace_measures(scored.trace) | {"failed_rate": float(scored.reward is None)}
    if scored.grade is not None:
        measures["accuracy"] = float(scored.grade.correct)
        measures["no_answer_rate"] = float(scored.grade.answer is None)
    return measures


def mean_measures(measures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each over the rollouts that have it; 0 where none has."""
    found: dict[str, float] = {}
    for name in dict.fromkeys([*OF_TRACES, *OF_GRADES, *(name for each in measures for name in each)]):
        values = [each[name] for each in measures if name in each]
        found[name] = sum(values) / max(len(values), 1)
    return found


def rollout_metrics(scored: Sequence[Scored]) -> dict[str, float]:
    """The measures of a step, as a mean over its rollouts."""
    return mean_measures([measures_of(one) for one in scored])
