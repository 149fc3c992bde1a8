"""OpenAI's chat completions: POST /v1/chat/completions.

Format: https://platform.openai.com/docs/api-reference/chat
Thinking is in `reasoning_content` (DeepSeek, vLLM, SGLang, llama.cpp) and in `reasoning` (OpenRouter, vLLM).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from elastic_reasoning.core.trace import Phase
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.dialect import Dialect, Head, Json, sse
from elastic_reasoning.serving.dialects.openai import (
    error_body,
    messages_in,
    sampling_in,
    stops_in,
    usage_json,
)
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, ToolCall, Usage
from elastic_reasoning.serving.limits import read_limits

DONE = b"data: [DONE]\n\n"


def read(body: Mapping[str, Any]) -> Asked:
    """What a body asks for."""
    streaming = body.get("stream_options") or {}
    return Asked(
        model=str(body.get("model") or ""),
        messages=messages_in(body),
        tools=tuple(body.get("tools") or ()),
        limits=read_limits(body),
        sampling=sampling_in(body),
        num_samples=int(body.get("n") or 1),
        stop=stops_in(body),
        chat_template_kwargs=dict(body.get("chat_template_kwargs") or {}),
        stream=bool(body.get("stream")),
        include_usage=bool(streaming.get("include_usage")),
        continuous_usage=bool(streaming.get("continuous_usage_stats")),
    )


def whole(head: Head, asked: Asked, events: Iterable[Event]) -> Json:
    """A chat completion."""
    texts: dict[tuple[int, Phase], str] = {}
    calls: dict[int, list[Json]] = {}
    choices: list[Json] = []
    usage, account = Usage(), dict[str, Any]()
    for event in events:
        if isinstance(event, Text):
            key = (event.sample, event.phase)
            texts[key] = texts.get(key, "") + event.text
        elif isinstance(event, ToolCall):
            calls.setdefault(event.sample, []).append(_call(event))
        elif isinstance(event, Ended):
            choices.append({"index": event.sample, "finish_reason": event.finish_reason})
        elif isinstance(event, Finished):
            usage, account = event.usage, dict(event.account)
    for choice in choices:
        sample = choice["index"]
        thinking = texts.get((sample, Phase.THINKING))
        message: Json = {"role": "assistant", "content": texts.get((sample, Phase.SOLUTION), "")}
        if thinking is not None:
            message |= {"reasoning_content": thinking, "reasoning": thinking}
        if sample in calls:
            message["tool_calls"] = calls[sample]
        choice |= {"message": message, "logprobs": None}
    return {
        "id": f"chatcmpl-{head.id}",
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": sorted(choices, key=lambda choice: int(choice["index"])),
        "usage": usage_json(usage),
        "elastic": account,
    }


def _call(event: ToolCall) -> Json:
    return {"id": event.id, "type": "function", "function": {"name": event.name, "arguments": event.arguments}}


class ChatWriter:
    """Writes chunks of a chat completion."""

    def __init__(self, head: Head, asked: Asked) -> None:
        self._asked = asked
        self._usage = Usage()
        self._head = {
            "id": f"chatcmpl-{head.id}",
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
        }

    def write(self, event: Event) -> Iterable[bytes]:
        """The chunks that an event becomes."""
        if isinstance(event, Started):
            self._usage = Usage(event.num_prompt_tokens)
            for sample in range(self._asked.num_samples):
                yield self._chunk(sample, {"role": "assistant", "content": ""}, account=event.account)
        elif isinstance(event, Text):
            thinks = event.phase is Phase.THINKING
            self._usage = self._usage.plus(
                Usage(completion=event.num_tokens, reasoning=event.num_tokens if thinks else 0)
            )
            yield self._chunk(
                event.sample,
                {"reasoning_content": event.text, "reasoning": event.text} if thinks else {"content": event.text},
            )
        elif isinstance(event, ToolCall):
            yield self._chunk(event.sample, {"tool_calls": [{"index": event.number, **_call(event)}]})
        elif isinstance(event, Ended):
            yield self._chunk(event.sample, {}, event.finish_reason)
        else:
            usage = {"usage": usage_json(event.usage)} if self._asked.include_usage else {}
            yield sse({**self._head, "choices": [], **usage, "elastic": event.account})
            yield DONE

    def _chunk(
        self, sample: int, delta: Json, finish_reason: str | None = None, account: Mapping[str, Any] | None = None
    ) -> bytes:
        choice = {"index": sample, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = {**self._head, "choices": [choice]}
        if self._asked.continuous_usage:  # as vLLM has it; beside the first usage, the budgets as understood
            chunk["usage"] = usage_json(self._usage)
            if account is not None:
                chunk["elastic"] = account
        return sse(chunk)

    def fail(self, error: ApiError) -> Iterable[bytes]:
        """An error event, and the end of the stream."""
        yield sse(error_body(error))
        yield DONE


CHAT = Dialect("/v1/chat/completions", read, whole, ChatWriter, error_body)
