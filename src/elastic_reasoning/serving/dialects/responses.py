"""OpenAI's responses: POST /v1/responses.

Format: https://platform.openai.com/docs/api-reference/responses
Thinking is an item `reasoning` before the message. Nothing is stored: a conversation is sent whole.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.blocks import gather
from elastic_reasoning.serving.dialects.body import ignored_in, read_as
from elastic_reasoning.serving.dialects.chat import SILENT
from elastic_reasoning.serving.dialects.conversation import for_template
from elastic_reasoning.serving.dialects.dialect import Dialect, Head, Json
from elastic_reasoning.serving.dialects.openai import error_body, sampling_of
from elastic_reasoning.serving.dialects.responses_in import (
    ResponsesRequest,
    chat_only_of,
    check_stateless,
    messages_of,
    tools_of,
)
from elastic_reasoning.serving.dialects.responses_out import ResponseWriter, call_item, ended_response, whole_text_item
from elastic_reasoning.serving.events import Event, ToolCall
from elastic_reasoning.serving.limits import read_limits

ANSWER = {
    "id": "string",
    "object": "string",
    "created_at": "integer",
    "model": "string",
    "status": "string",
    "output": "array",
    "usage": "object",
    "elastic": "object",
}
LOGPROBS = "message.output_text.logprobs"
"""Of `include`."""
ECHOED = ("instructions", "metadata", "temperature", "top_p", "max_output_tokens", "reasoning", "text", "truncation")
"""What a response repeats of its request."""


def read(body: Mapping[str, Any]) -> Asked:
    """What a body asks for."""
    given = read_as(body, ResponsesRequest)
    check_stateless(given)
    messages = messages_of(given)
    return Asked(
        model=given.model,
        messages=tuple(for_template(message) for message in messages),
        tools=tools_of(given),
        limits=read_limits(body),
        sampling=sampling_of(given.temperature, given.top_p),
        chat_template_kwargs=given.chat_template_kwargs or {},
        chat_only=chat_only_of(given, messages),
        stream=given.stream,
        logprobs=LOGPROBS in (given.include or ()),
        ignored=ignored_in(body, (*given.__struct_fields__, *SILENT)),
        echo=_echo(body, given),
    )


def _echo(body: Mapping[str, Any], given: ResponsesRequest) -> Json:
    return {
        "parallel_tool_calls": given.parallel_tool_calls,
        "tool_choice": given.tool_choice or "auto",
        "tools": [{"strict": None, "parameters": None, **tool} for tool in body.get("tools") or ()],
        "store": False,
        **{name: body[name] for name in ECHOED if body.get(name) is not None},
    }


def whole(head: Head, asked: Asked, events: Iterable[Event]) -> Json:
    """A response."""
    answer = gather(events)
    [sample] = answer.samples
    output: list[Json] = []
    for number, block in enumerate(sample.blocks):
        if isinstance(block, ToolCall):
            output.append(call_item(head, number, block))
        else:
            end = sample.ended if block is sample.blocks[-1] else None
            output.append(whole_text_item(head, asked, number, block, end))
    return ended_response(head, asked, output, sample.ended, answer.finished)


RESPONSES = Dialect("/v1/responses", ResponsesRequest, ANSWER, read, whole, ResponseWriter, error_body)
