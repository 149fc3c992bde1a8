"""What Anthropic's clients send: their messages, tools and blocks, as OpenAI's chat endpoint would have them."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from elastic_reasoning.core.template import Message
from elastic_reasoning.serving.dialects.body import Stops, TopK, TopP
from elastic_reasoning.serving.errors import bad_request
from elastic_reasoning.serving.names import shown


class Source(Struct, kw_only=True):
    """Where an image is."""

    type: Literal["base64", "url"]
    media_type: str = ""
    data: str = ""
    url: str = ""


class TextBlock(Struct, tag="text", kw_only=True):
    """Text."""

    text: str


class ThinkingBlock(Struct, tag="thinking", kw_only=True):
    """Thinking of an earlier turn."""

    thinking: str
    signature: str | None = None


class RedactedThinkingBlock(Struct, tag="redacted_thinking", kw_only=True):
    """Thinking of an earlier turn that nobody can read: it is left out."""

    data: str = ""


class ImageBlock(Struct, tag="image", kw_only=True):
    """An image."""

    source: Source


class ToolUseBlock(Struct, tag="tool_use", kw_only=True):
    """A tool call of an earlier turn."""

    id: str
    name: str
    input: dict[str, Any]


class ToolResultBlock(Struct, tag="tool_result", kw_only=True):
    """What came of a tool call."""

    tool_use_id: str
    content: str | list[TextBlock | ImageBlock] | None = None
    is_error: bool | None = None


Block = TextBlock | ThinkingBlock | RedactedThinkingBlock | ImageBlock | ToolUseBlock | ToolResultBlock


class TurnMessage(Struct, kw_only=True):
    """One turn of a conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class ToolChoice(Struct, kw_only=True):
    """Whether a tool must be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class OfferedTool(Struct, kw_only=True):
    """A tool that the model may call."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    input_schema: dict[str, Any]
    type: Literal["custom"] | None = None


class OutputFormat(Struct, kw_only=True):
    """What the solution must look like."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Struct, kw_only=True):
    """What is asked of the solution."""

    format: OutputFormat | None = None


class CountRequest(Struct, kw_only=True):
    """A prompt whose tokens are to be counted."""

    model: str = ""
    messages: Annotated[list[TurnMessage], Meta(min_length=1)]
    system: str | list[TextBlock] | None = None
    tools: list[OfferedTool] | None = None
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class MessagesRequest(CountRequest, kw_only=True):
    """A message that is asked for."""

    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    """Of thinking and answer together."""
    stop_sequences: Stops | None = None
    stream: bool = False
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None


def messages_of(given: CountRequest) -> tuple[Message, ...]:
    """The conversation as OpenAI's chat endpoint would have it."""
    said: list[Message] = []
    if given.system:
        said.append({"role": "system", "content": _content(given.system)})
    for message in given.messages:
        if isinstance(message.content, str):
            said.append({"role": message.role, "content": message.content})
        elif message.role == "assistant":
            said.append(_assistant(message.content))
        else:
            said += _turn(message.role, message.content)
    return tuple(said)


def _assistant(blocks: list[Block]) -> Message:
    """A turn of the assistant: thinking, text and tool calls of it."""
    thinking = "\n".join(block.thinking for block in blocks if isinstance(block, ThinkingBlock))
    calls = [
        {
            "id": block.id,
            "type": "function",
            "function": {"name": block.name, "arguments": json.dumps(block.input)},
        }
        for block in blocks
        if isinstance(block, ToolUseBlock)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": _content(blocks)}
    if thinking:
        message["reasoning_content"] = thinking
    if calls:
        message["tool_calls"] = calls
    return message


def _turn(role: str, blocks: list[Block]) -> Iterator[Message]:
    """A turn of the user: results of tools are messages of their own, before what is said beside them."""
    for block in blocks:
        if isinstance(block, ToolResultBlock):
            yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": _content(block.content or "")}
    rest = [block for block in blocks if not isinstance(block, ToolResultBlock)]
    if rest or not blocks:
        yield {"role": role, "content": _content(rest)}


def _content(content: Any) -> str | list[Message]:
    """Content as OpenAI's chat endpoint has it: text, or parts where there are images."""
    if isinstance(content, str):
        return content
    shown_blocks = [block for block in content if isinstance(block, (TextBlock, ImageBlock))]
    texts = [block.text for block in shown_blocks if isinstance(block, TextBlock)]
    if len(texts) == len(shown_blocks):
        return "\n".join(texts)
    return [
        {"type": "text", "text": block.text}
        if isinstance(block, TextBlock)
        else {"type": "image_url", "image_url": {"url": _url(block.source)}}
        for block in shown_blocks
    ]


def _url(source: Source) -> str:
    if source.type == "base64":
        return f"data:{source.media_type};base64,{source.data}"
    return source.url


def tools_of(given: CountRequest) -> tuple[Message, ...]:
    """The tools as OpenAI's chat endpoint would have them."""
    if given.tool_choice and given.tool_choice.type == "none":
        return ()
    return tuple(
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description or "", "parameters": tool.input_schema},
        }
        for tool in given.tools or ()
    )


def chat_only_of(given: CountRequest, messages: tuple[Message, ...]) -> Mapping[str, Any]:
    """What only an upstream's own chat endpoint can honour."""
    found: dict[str, Any] = {}
    choice = given.tool_choice
    if choice and choice.type == "any":
        found["tool_choice"] = "required"
    elif choice and choice.type == "tool":
        if not choice.name:
            raise bad_request(f"tool_choice.name {shown(choice.name)}: must name a tool", "tool_choice.name")
        found["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    if given.output_config and given.output_config.format:
        schema = {"name": "answer", "schema": given.output_config.format.schema, "strict": True}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    if any(not isinstance(message["content"], str) for message in messages):
        found["messages"] = messages
    return found
