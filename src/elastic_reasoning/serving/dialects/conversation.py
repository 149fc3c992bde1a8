"""Messages of OpenAI's chat endpoint, which every dialect's messages become, and as chat templates want them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from elastic_reasoning.core.template import Message
from elastic_reasoning.serving.dialects.body import text_of
from elastic_reasoning.untrusted.json import MalformedError, decode

ROLES = {"developer": "system", "function": "tool"}
"""Newer and older names of roles, which chat templates do not know."""
TEXTS = ("text", "input_text", "output_text")


class Part(Struct, kw_only=True):
    """A part of a message's content."""

    type: str
    text: str | None = None


class CalledFunction(Struct, kw_only=True):
    """What was called, and with what."""

    name: str
    arguments: str
    """JSON."""


class Call(Struct, kw_only=True):
    """A tool call of an earlier turn."""

    id: str | None = None
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(Struct, kw_only=True):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    """Thinking of an earlier turn of the assistant; `reasoning` is the same."""
    reasoning: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None


class Function(Struct, kw_only=True):
    """A function that the model may call."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    """A JSON schema."""


class Tool(Struct, kw_only=True):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function


def for_template(message: Mapping[str, Any]) -> Message:
    """A chat message as chat templates want it.

    Content of text parts is one text, arguments of tool calls are objects, thinking is `reasoning_content`. What holds
    more than text keeps its parts.
    """
    content = message.get("content")
    text = text_of(content, TEXTS)
    known = {name: value for name, value in message.items() if value is not None and name != "reasoning"}
    plain = {**known, "role": ROLES.get(message["role"], message["role"]), "content": content if text is None else text}
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if thinking:
        plain["reasoning_content"] = thinking
    if message.get("tool_calls"):
        plain["tool_calls"] = [_called(call) for call in message["tool_calls"]]
    return plain


def _called(call: Mapping[str, Any]) -> Message:
    function = call["function"]
    try:
        arguments = decode(function["arguments"])
    except MalformedError:
        arguments = function["arguments"]
    return {**call, "type": "function", "function": {**function, "arguments": arguments}}


def is_plain(messages: Sequence[Message]) -> bool:
    """Whether messages hold text alone, which any model reads."""
    return all(isinstance(message["content"], str) for message in messages)
