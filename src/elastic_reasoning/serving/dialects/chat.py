"""OpenAI's chat completions: POST /v1/chat/completions.

Format: https://platform.openai.com/docs/api-reference/chat
Thinking is in `reasoning_content` (DeepSeek, vLLM, SGLang, llama.cpp) and in `reasoning` (OpenRouter, vLLM).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.blocks import Sample
from elastic_reasoning.serving.dialects.body import (
    Penalty,
    Samples,
    Seed,
    Stops,
    Temperature,
    TopK,
    TopP,
    ignored_in,
    read_as,
)
from elastic_reasoning.serving.dialects.body import (
    Text as StopText,
)
from elastic_reasoning.serving.dialects.conversation import ChatMessage, Tool, for_template, is_plain
from elastic_reasoning.serving.dialects.dialect import Dialect, Head, Json, sse
from elastic_reasoning.serving.dialects.openai import (
    account_json,
    call_json,
    error_body,
    head_json,
    sampling_of,
    stops_of,
    token_logprobs,
    usage_json,
    whole_json,
)
from elastic_reasoning.serving.errors import ApiError, bad_request
from elastic_reasoning.serving.events import Ended, Event, Started, Text, ToolCall, Usage
from elastic_reasoning.serving.limits import read_limits

ANSWER = {
    "id": "string",
    "object": "string",
    "created": "integer",
    "model": "string",
    "choices": "array",
    "usage": "object",
    "elastic": "object",
}
DONE = b"data: [DONE]\n\n"
SILENT = (
    "metadata",
    "user",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)
"""What concerns the provider's own books, and changes no answer."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "response_format": ({"type": "text"},),
    "tool_choice": ("auto", "none"),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "min_p": (0,),
    "repetition_penalty": (1,),
    **dict.fromkeys(
        ("structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar"), ()
    ),
}
"""What only an upstream's own chat endpoint can honour, with the values that ask for nothing."""


class StreamOptions(Struct, kw_only=True):
    """What a stream says beside the text."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    """As vLLM has it: usage with every chunk."""


class ResponseFormat(Struct, kw_only=True):
    """What the solution must look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class ChatRequest(Struct, kw_only=True):
    """A chat completion that is asked for."""

    model: str = ""
    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    n: Samples = 1
    stop: StopText | Stops | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    seed: Seed | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0)] | None = None
    chat_template_kwargs: dict[str, Any] | None = None


def read(body: Mapping[str, Any]) -> Asked:
    """What a body asks for."""
    given = read_as(body, ChatRequest)
    if body.get("functions"):
        raise bad_request("functions: are no longer read, send them as tools", "functions", "unsupported_parameter")
    streaming = given.stream_options or StreamOptions()
    messages = tuple(for_template(message) for message in body["messages"])
    chat_only = {
        name: body[name]
        for name, neutral in NEUTRAL.items()
        if body.get(name) is not None and body[name] not in neutral
    }
    if not is_plain(messages):
        chat_only["messages"] = body["messages"]
    return Asked(
        model=given.model,
        messages=messages,
        tools=() if given.tool_choice == "none" else tuple(body.get("tools") or ()),
        limits=read_limits(body),
        sampling=sampling_of(given.temperature, given.top_p, given.top_k, given.seed),
        num_samples=given.n,
        stop=stops_of(given.stop),
        chat_template_kwargs=given.chat_template_kwargs or {},
        chat_only=chat_only,
        stream=given.stream,
        include_usage=bool(streaming.include_usage),
        continuous_usage=bool(streaming.continuous_usage_stats),
        logprobs=given.logprobs,
        ignored=ignored_in(body, (*ChatRequest.__struct_fields__, *NEUTRAL, *SILENT)),
    )


def whole(head: Head, asked: Asked, events: Iterable[Event]) -> Json:
    """A chat completion."""
    return whole_json(head_json(head, "chatcmpl", "chat.completion"), asked, events, _choice)


def _choice(asked: Asked, sample: Sample) -> Json:
    calls, thinking = sample.calls, sample.text(Phase.THINKING)
    content = sample.text(Phase.SOLUTION)
    message: Json = {"role": "assistant", "content": content if content is not None or calls else ""}
    if thinking is not None:
        message |= {"reasoning_content": thinking, "reasoning": thinking}
    if calls:
        message["tool_calls"] = [call_json(call) for call in calls]
    return {
        "index": sample.ended.sample,
        "message": message,
        "logprobs": _logprobs(asked, sample.ended),
        "finish_reason": sample.ended.finish_reason,
    }


def _logprobs(asked: Asked, ended: Ended) -> Json | None:
    content = token_logprobs(asked, ended)
    return None if content is None else {"content": content, "refusal": None}


class ChatWriter:
    """Writes chunks of a chat completion."""

    def __init__(self, head: Head, asked: Asked) -> None:
        self._asked = asked
        self._usage = Usage()
        self._head = head_json(head, "chatcmpl", "chat.completion.chunk")
        self._begin = b"data: " + msgspec.json.encode(self._head)[:-1] + b',"choices":[{"index":'

    def write(self, event: Event) -> Iterable[bytes]:
        """The chunks that an event becomes."""
        if isinstance(event, Text):
            yield self._text(event)
        elif isinstance(event, Started):
            self._usage = Usage(event.num_prompt_tokens)
            for sample in range(self._asked.num_samples):
                yield self._chunk(sample, {"role": "assistant", "content": ""}, account=event.account)
        elif isinstance(event, ToolCall):
            yield self._chunk(event.sample, {"tool_calls": [{"index": event.number, **call_json(event)}]})
        elif isinstance(event, Ended):
            yield self._chunk(event.sample, {}, event.finish_reason, _logprobs(self._asked, event))
        else:
            usage = {"usage": usage_json(event.usage)} if self._asked.include_usage else {}
            yield sse({**self._head, "choices": [], **usage, "elastic": account_json(self._asked, event.account)})
            yield DONE

    def _text(self, event: Text) -> bytes:
        thinks = event.phase is Phase.THINKING
        if self._asked.continuous_usage:
            more = Usage(completion=event.num_tokens, reasoning=event.num_tokens if thinks else 0)
            self._usage = self._usage.plus(more)
            names = ("reasoning_content", "reasoning") if thinks else ("content",)
            return self._chunk(event.sample, dict.fromkeys(names, event.text))
        text = msgspec.json.encode(event.text)
        delta = b'"reasoning_content":%b,"reasoning":%b' % (text, text) if thinks else b'"content":' + text
        return b'%b%d,"delta":{%b},"logprobs":null,"finish_reason":null}]}\n\n' % (self._begin, event.sample, delta)

    def _chunk(
        self,
        sample: int,
        delta: Json,
        finish_reason: str | None = None,
        logprobs: Json | None = None,
        account: Mapping[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": sample, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
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


CHAT = Dialect("/v1/chat/completions", ChatRequest, ANSWER, read, whole, ChatWriter, error_body)
