"""What an answer came to: usage, and the `elastic` object that says what bound it."""

from collections.abc import Mapping, Sequence
from typing import Any

from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.events import Ended, Usage
from elastic_reasoning.serving.text import Detokenizer
from elastic_reasoning.serving.tool_calls import Calls

ENDS = {
    Finish.LENGTH: "tokens",
    Finish.BOUNDARY: "tokens",
    Finish.DEADLINE: "time",
    Finish.DELIMITER: "model",
    Finish.EOS: "model",
    Finish.PAUSE: "strategy",
    Finish.LOOP: "loop",
    Finish.STOP: "stop",
    Finish.ABORT: "client",
}
"""What ended a phase, as the `elastic` object says it."""


def started(plan: Plan) -> dict[str, Any]:
    """The `elastic` object of a request that begins."""
    return {
        "budget": {"thinking": plan.budget.thinking, "solution": plan.budget.solution},
        "sources": dict(plan.sources),
    }


def usage_of(trace: Trace) -> Usage:
    """The tokens of one sample. What was sampled beside it, in probes and other branches, counts as reasoning."""
    beside = trace.num_spent_tokens - trace.num_sampled_tokens
    return Usage(len(trace.request.prompt.ids), 0, len(trace.ids) + beside, trace.num_thinking_tokens + beside)


def ended(
    sample: int,
    trace: Trace,
    plan: Plan,
    stop: str | None,
    seconds: float,
    deadline: Mapping[str, Any] | None = None,
    calls: Calls | None = None,
) -> Ended:
    """A sample that is over.

    Args:
        sample: its number.
        trace: what it is.
        plan: its budget, and where that comes from.
        stop: the client's stop text that was found.
        seconds: since it began.
        deadline: what became of its deadline, if it has one.
        calls: its tool calls, where they are read here.
    """
    is_cut = trace.cut and stop is None
    account: dict[str, Any] = {
        "thinking_tokens": trace.num_thinking_tokens,
        "solution_tokens": trace.num_solution_tokens,
        "forced_tokens": trace.num_forced_tokens,
        "thinking_ended_by": _ended_by(trace, Phase.THINKING, plan),
        "solution_ended_by": "stop" if stop is not None else _ended_by(trace, Phase.SOLUTION, plan),
        "escaped": trace.escaped,
        "seconds": round(seconds, 4),
    }
    if trace.num_probe_tokens:
        account["probe_tokens"] = trace.num_probe_tokens
    if trace.branches:
        account |= {"branches": len(trace.branches), "spent_tokens": trace.num_spent_tokens}
    if trace.num_tool_tokens:
        account |= {"tool_tokens": trace.num_tool_tokens, "unread_tool_calls": calls.num_unread if calls else 0}
    if deadline is not None:
        account["deadline"] = {**deadline, "closed_by": account["thinking_ended_by"]}
    reason = "length" if is_cut else "tool_calls" if calls and calls.num_read else "stop"
    return Ended(sample, reason, usage_of(trace), account, stop)


def _ended_by(trace: Trace, phase: Phase, plan: Plan) -> str | None:
    finishes = [segment.finish for segment in trace.segments if segment.phase is phase and segment.finish]
    end = ENDS[finishes[-1]] if finishes else None
    return "money" if end == "tokens" and phase in plan.by_money else end


def solution_logprobs(trace: Trace) -> list[tuple[str, float]] | None:
    """The text that each token of the solution adds, and its log-probability; `None` where they are not known."""
    segments = [segment for segment in trace.segments if segment.phase is Phase.SOLUTION and segment.sampled]
    if any(segment.logprobs is None for segment in segments):
        return None
    pairs = [pair for segment in segments for pair in zip(segment.ids, segment.logprobs or (), strict=True)]
    text = Detokenizer(trace.template.decode)
    return [(text.add([token]), value) for token, value in pairs if token not in trace.template.eos]


def total(ends: Sequence[Ended], plan: Plan) -> tuple[Usage, Mapping[str, Any]]:
    """Usage and `elastic` object of all samples of a request."""
    usage = Usage()
    for each in ends:
        usage = usage.plus(each.usage)
    accounts = [each.account for each in sorted(ends, key=lambda each: each.sample)]
    rest = accounts[0] if len(accounts) == 1 else {"samples": accounts}
    return usage, {**started(plan), **rest}
