"""What an upstream's own chat endpoint is sent, for what calls in tokens cannot do: images, grammars, forced tools.

Limits are kept by our plug-in where the upstream has it. Otherwise by what it has of its own: a thinking budget, and
`max_tokens` for thinking and solution together, so that a solution may have what thinking leaves.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from elastic_reasoning.core.needs import most_tokens, needs_of
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Request
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Message, Prompt, Thinking
from elastic_reasoning.core.wire import PROMPT, to_wire
from elastic_reasoning.engines.http.dialects import find_dialect
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.errors import bad_request

PLUG_IN, UPSTREAM = "plug-in", "upstream"
"""Who keeps the budget, as the `elastic` object says it."""
LEAST_SECONDS = 1e-3
"""What is left of a deadline that has passed: a deadline of 0 is none."""

Body = dict[str, Any]


def chat_body(engine: OpenAIEngine, config: ModelConfig, asked: Asked, plan: Plan, prompt: Prompt) -> tuple[Body, str]:
    """The body of a streamed chat completion, and who keeps the budget.

    Args:
        engine: of the upstream.
        config: of the model.
        asked: what the client wants.
        plan: its budget.
        prompt: as it would be sent in tokens; empty where its messages hold more than text.

    Raises:
        ApiError: 400 where the upstream cannot do that.
    """
    sampling = asked.sampling
    limits, kept_by = _limits(engine, asked, plan, prompt)
    body: Body = {
        "model": engine.capabilities.model,
        "messages": asked.chat_only.get("messages") or [_as_sent(each) for each in _edited(asked, plan)],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": sampling.seed,
        "n": asked.num_samples,
        "stream": True,
        "stream_options": {"include_usage": True},
        **limits,
        **{name: value for name, value in asked.chat_only.items() if name != "messages"},
    }
    arguments = {**config.chat_template_kwargs, **asked.chat_template_kwargs}
    optional = {
        "tools": list(asked.tools),
        "stop": list(asked.stop),
        "chat_template_kwargs": arguments,
        "logprobs": asked.logprobs,
    }
    if kept_by == PLUG_IN:
        body |= {"return_token_ids": True, "min_p": 0.0, "repetition_penalty": 1.0} | body
    return {**body, **{name: value for name, value in optional.items() if value}}, kept_by


def _edited(asked: Asked, plan: Plan) -> tuple[Message, ...]:
    return find_strategy(plan.strategy).edit(asked.messages, plan.budget)


def _as_sent(message: Message) -> Message:
    """A message as clients send it: chat templates want the arguments of calls as objects, servers as text."""
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [_call_as_sent(call) for call in calls]} if calls else message


def _call_as_sent(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call["function"]
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": text}}


def _limits(engine: OpenAIEngine, asked: Asked, plan: Plan, prompt: Prompt) -> tuple[Body, str]:
    wanted, budget, capabilities = ", ".join(asked.chat_only), plan.budget, engine.capabilities
    if "messages" in asked.chat_only and find_strategy(plan.strategy).ask(budget):
        raise bad_request(f"strategy {plan.strategy!r}: writes into messages of text alone", "strategy")
    one_pass = find_dialect(capabilities.dialect).one_pass
    if capabilities.plug_in and one_pass is not None and one_pass.chat_parameter:
        return _for_plug_in(one_pass.chat_parameter, engine, asked, plan, prompt), PLUG_IN
    if plan.strategy != DEFAULT_STRATEGY or plan.options or asked.limits.deadline_seconds is not None:
        raise bad_request(
            f"{wanted}: with this upstream neither a deadline nor a strategy can be kept beside it; use vLLM with the "
            "plug-in (elastic-reasoning[vllm])"
        )
    if budget.thinking is None and budget.solution is None:
        return {}, UPSTREAM
    if prompt.thinking is Thinking.CLOSED:  # there is no thinking to bound
        return {"max_tokens": budget.solution}, UPSTREAM
    name = find_dialect(capabilities.dialect).native_parameter
    if not name or budget.thinking is None or capabilities.native is False:
        raise bad_request(
            f"{wanted}: this upstream cannot keep budget {budget} beside it; use vLLM with the plug-in "
            "(elastic-reasoning[vllm]) or with a reasoning parser, or leave it out"
        )
    total = None if budget.solution is None else budget.thinking + budget.solution
    return {name: budget.thinking, **({} if total is None else {"max_tokens": total})}, UPSTREAM


def _for_plug_in(parameter: str, engine: OpenAIEngine, asked: Asked, plan: Plan, prompt: Prompt) -> Body:
    seconds = asked.limits.deadline_seconds
    left = None if seconds is None else max(LEAST_SECONDS, asked.arrived + seconds - time.monotonic())
    request = Request(prompt, plan.budget, plan.strategy, plan.options, asked.sampling, deadline_seconds=left)
    if needs_of(request, engine.template).takes_back:
        raise bad_request("wait, num_waits: cannot be kept beside " + ", ".join(asked.chat_only), "wait")
    wire = {name: value for name, value in to_wire(request).items() if prompt.ids or name != PROMPT}
    most = most_tokens(request, engine.template, engine.context if prompt.ids else None)
    return {parameter: wire, **({} if most is None else {"max_tokens": most})}
