"""Traces as inspect_ai has answers: thinking, solution, tool calls, usage, and why each of them ended."""

import json
from collections.abc import Sequence
from typing import Any, Literal
from uuid import uuid4

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    Content,
    ContentReasoning,
    ContentText,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    StopReason,
)
from inspect_ai.tool import ToolCall

from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Message
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.integrations.answers import COUNTS, RATES, cut
from elastic_reasoning.serving.accounting import solution_logprobs, usage_of
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.events import Usage
from elastic_reasoning.serving.text import Detokenizer, Stops
from elastic_reasoning.serving.tool_calls import read_calls

KEY = "elastic"
"""Under which a message's metadata say what became of its budget."""


class StopWatch:
    """A listener that ends a walk when its solution holds one of the texts at which to stop.

    White space before the solution does not count: many such texts are line breaks, and these follow a delimiter.
    """

    def __init__(self, walk: Walk, texts: Sequence[str]) -> None:
        self._walk, self._stops = walk, Stops(texts)
        self._text, self._has_begun = Detokenizer(walk.template.decode), False

    def __call__(self, delta: Delta) -> None:
        """Take new tokens, in the thread that computes."""
        if delta.phase is not Phase.SOLUTION:
            return
        text = self._text.add(delta.ids)
        if not self._has_begun:
            text = text.lstrip()
            self._has_begun = bool(text)
        self._stops.add(text)
        if self._stops.found is not None:
            self._walk.interrupt(Finish.STOP)


def output_of(
    model: str,
    traces: Sequence[Trace],
    plan: Plan,
    stops: Sequence[str],
    tools: Sequence[Message],
    logprobs: bool,
    context: int | None,
    seconds: float,
) -> ModelOutput:
    """The answer of a call.

    Args:
        model: its name.
        traces: one for each choice.
        plan: its budget, and where that comes from.
        stops: texts at which the solution ends.
        tools: that were offered, as JSON schemas.
        logprobs: whether the log-probabilities of the solution's tokens are wanted.
        context: tokens of prompt and completion that the model can hold.
        seconds: that it took.
    """
    usage = Usage()
    for trace in traces:
        usage = usage.plus(usage_of(trace))
    return ModelOutput(
        model=model,
        choices=[_choice(model, trace, plan, stops, tools, logprobs, context) for trace in traces],
        usage=ModelUsage(
            input_tokens=usage.prompt,
            output_tokens=usage.completion,
            total_tokens=usage.prompt + usage.completion,
            reasoning_tokens=usage.reasoning,
        ),
        time=seconds,
    )


def _choice(
    model: str,
    trace: Trace,
    plan: Plan,
    stops: Sequence[str],
    tools: Sequence[Message],
    logprobs: bool,
    context: int | None,
) -> ChatCompletionChoice:
    solution, stopped_at = cut(trace.solution_text, stops) if stops else (trace.solution_text, None)
    calls = _calls(trace, tools)
    if calls is None:  # what cannot be read is text
        solution += trace.tool_text
    content: list[Content] = []
    if trace.thinking_text:
        content.append(ContentReasoning(reasoning=trace.thinking_text))
    content.append(ContentText(text=solution))
    message = ChatMessageAssistant(
        content=content,
        model=model,
        source="generate",
        tool_calls=calls or None,
        metadata={KEY: account(trace, plan.sources, stopped_at)},
    )
    return ChatCompletionChoice(
        message=message,
        stop_reason=_stop_reason(trace, stopped_at, bool(calls), context),
        logprobs=_logprobs(trace) if logprobs else None,
    )


def account(trace: Trace, sources: Any, stopped_at: str | None) -> dict[str, Any]:
    """What became of the budget of a trace, as plain values."""
    return {
        "strategy": trace.request.strategy,
        "budget": str(trace.request.budget),
        "sources": dict(sources),
        **{name: getattr(trace, name) for name in (*COUNTS, *RATES)},
        "stopped_at": stopped_at,
    }


def _stop_reason(trace: Trace, stopped_at: str | None, calls: bool, context: int | None) -> StopReason:
    reason: Literal["stop", "max_tokens", "model_length", "tool_calls"] = "tool_calls" if calls else "stop"
    if trace.cut and stopped_at is None:
        is_full = context is not None and len(trace.request.prompt.ids) + len(trace.ids) >= context
        reason = "model_length" if is_full else "max_tokens"
    return reason


def _calls(trace: Trace, tools: Sequence[Message]) -> list[ToolCall] | None:
    """The tool calls of a trace; `None` where they cannot be read."""
    text = trace.tool_text
    calls = read_calls(text, tools) if text else []
    if calls is None:
        return None
    return [ToolCall(f"call_{uuid4().hex[:24]}", call.name, json.loads(call.arguments)) for call in calls]


def _logprobs(trace: Trace) -> Logprobs | None:
    """Those of the solution's tokens, where the engine tells them."""
    known = solution_logprobs(trace)
    return None if known is None else Logprobs(content=[Logprob(token=text, logprob=value) for text, value in known])
