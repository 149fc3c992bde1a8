"""Anthropic's messages: POST /v1/messages.

Format: https://platform.claude.com/docs/en/api/messages
Thinking is a block of its own before the text. Its signature names the answer and signs nothing; it is not looked at
when the block comes back.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.blocks import Passage, gather
from elastic_reasoning.serving.dialects.body import ignored_in, read_as
from elastic_reasoning.serving.dialects.conversation import for_template
from elastic_reasoning.serving.dialects.dialect import Dialect, Head, Json, encode, sse
from elastic_reasoning.serving.dialects.messages_in import (
    CountRequest,
    MessagesRequest,
    chat_only_of,
    messages_of,
    tools_of,
)
from elastic_reasoning.serving.dialects.openai import account_json, sampling_of
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, ToolCall, Usage
from elastic_reasoning.serving.limits import read_limits
from elastic_reasoning.untrusted.json import MalformedError, decode

SILENT = ("metadata", "service_tier", "cache_control", "diagnostics", "inference_geo", "speed")
"""What concerns the provider's own books, and changes no answer."""
ANSWER = {
    "id": "string",
    "type": "string",
    "role": "string",
    "content": "array",
    "model": "string",
    "stop_reason": "string",
    "usage": "object",
    "elastic": "object",
}
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""Anthropic's types of errors by status; others are of the request below 500, and of the server from there."""


def read(body: Mapping[str, Any]) -> Asked:
    """What a body asks for."""
    given = read_as(body, MessagesRequest)
    return _asked(
        body,
        given,
        sampling=sampling_of(given.temperature, given.top_p, given.top_k),
        stop=tuple(given.stop_sequences or ()),
        stream=given.stream,
    )


def read_count(body: Mapping[str, Any]) -> Asked:
    """The prompt whose tokens a body asks to be counted."""
    return _asked(body, read_as(body, CountRequest), Sampling())


def _asked(
    body: Mapping[str, Any], given: CountRequest, sampling: Sampling, stop: tuple[str, ...] = (), stream: bool = False
) -> Asked:
    messages = messages_of(given)
    return Asked(
        model=given.model,
        messages=tuple(for_template(message) for message in messages),
        tools=tools_of(given),
        limits=read_limits(body),
        sampling=sampling,
        stop=stop,
        chat_template_kwargs=given.chat_template_kwargs or {},
        chat_only=chat_only_of(given, messages),
        stream=stream,
        ignored=ignored_in(body, (*given.__struct_fields__, *SILENT)),
    )


def whole(head: Head, asked: Asked, events: Iterable[Event]) -> Json:
    """A message."""
    answer = gather(events)
    [sample] = answer.samples
    content = [
        _block(block.phase, head, block.text) if isinstance(block, Passage) else _use(block, _arguments(block))
        for block in sample.blocks
    ]
    return {
        **_message(head),
        "content": content,
        **_stopped(sample.ended),
        "usage": _usage(answer.finished.usage),
        "elastic": account_json(asked, answer.finished.account),
    }


def _message(head: Head) -> Json:
    return {"id": f"msg_{head.id}", "type": "message", "role": "assistant", "model": head.model, "content": []}


def _block(phase: Phase, head: Head, text: str) -> Json:
    if phase is Phase.THINKING:
        return {"type": "thinking", "thinking": text, "signature": head.id}
    return {"type": "text", "text": text}


def _use(call: ToolCall, arguments: Json) -> Json:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _arguments(call: ToolCall) -> Json:
    """The arguments of a call as an object, whatever the model wrote."""
    try:
        arguments = decode(call.arguments or "{}")
    except MalformedError:
        arguments = None
    return arguments if isinstance(arguments, dict) else {"arguments": call.arguments}


def _stopped(ended: Ended) -> Json:
    reason = "stop_sequence" if ended.stop is not None else STOP_REASONS[ended.finish_reason]
    return {"stop_reason": reason, "stop_sequence": ended.stop}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt - usage.cached,
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": usage.completion,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


class MessageWriter:
    """Writes the events of a message: blocks are opened and closed as the phases of the answer change."""

    def __init__(self, head: Head, asked: Asked) -> None:
        self._head, self._asked = head, asked
        self._open: Phase | None = None
        self._num_blocks = 0
        self._ended: Ended | None = None

    def write(self, event: Event) -> Iterable[bytes]:
        """The events that an event becomes."""
        if isinstance(event, Text):
            if event.phase is not self._open:
                yield from self._close()
                self._open = event.phase
                yield self._start(_block(event.phase, self._head, "") | self._unsigned(event.phase))
            yield self._delta(event)
        elif isinstance(event, Started):
            message = {**_message(self._head), "stop_reason": None, "stop_sequence": None}
            usage = _usage(Usage(event.num_prompt_tokens))
            yield sse({"type": "message_start", "message": {**message, "usage": usage}}, "message_start")
            yield sse({"type": "ping"}, "ping")
        elif isinstance(event, ToolCall):
            yield from self._close()
            yield self._start(_use(event, {}))
            arguments = encode(_arguments(event)).decode()
            yield self._change({"type": "input_json_delta", "partial_json": arguments})
            yield self._stop()
        elif isinstance(event, Ended):
            yield from self._close()
            self._ended = event
        else:
            yield from self._finish(event)

    def _finish(self, event: Finished) -> Iterable[bytes]:
        assert self._ended is not None
        end = {"delta": _stopped(self._ended), "usage": _usage(event.usage)}
        account = account_json(self._asked, event.account)
        yield sse({"type": "message_delta", **end, "elastic": account}, "message_delta")
        yield sse({"type": "message_stop"}, "message_stop")

    @staticmethod
    def _unsigned(phase: Phase) -> Json:
        return {"signature": ""} if phase is Phase.THINKING else {}

    def _start(self, block: Json) -> bytes:
        event = {"type": "content_block_start", "index": self._num_blocks, "content_block": block}
        return sse(event, "content_block_start")

    def _delta(self, event: Text) -> bytes:
        kind = b'thinking_delta","thinking":' if event.phase is Phase.THINKING else b'text_delta","text":'
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b%b}}\n\n'
        ) % (self._num_blocks, kind, msgspec.json.encode(event.text))

    def _change(self, delta: Json) -> bytes:
        event = {"type": "content_block_delta", "index": self._num_blocks, "delta": delta}
        return sse(event, "content_block_delta")

    def _close(self) -> Iterable[bytes]:
        """End the block that is open."""
        if self._open is Phase.THINKING:
            yield self._change({"type": "signature_delta", "signature": self._head.id})
        if self._open is not None:
            yield self._stop()

    def _stop(self) -> bytes:
        index, self._open = self._num_blocks, None
        self._num_blocks += 1
        return sse({"type": "content_block_stop", "index": index}, "content_block_stop")

    def fail(self, error: ApiError) -> Iterable[bytes]:
        """An error event, which ends the stream."""
        yield sse(error_body(error), "error")


def error_body(error: ApiError) -> Json:
    """An error as Anthropic writes it."""
    kind = KINDS.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": error.message, **error.details}}


MESSAGES = Dialect("/v1/messages", MessagesRequest, ANSWER, read, whole, MessageWriter, error_body)
COUNT = Dialect(
    "/v1/messages/count_tokens", CountRequest, {"input_tokens": "integer"}, read_count, whole, MessageWriter, error_body
)
