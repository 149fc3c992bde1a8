"""What clients of OpenAI's responses send: items, tools and formats, as its chat endpoint would have them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from elastic_reasoning.core.template import Message
from elastic_reasoning.serving.dialects.body import Temperature, TopP
from elastic_reasoning.serving.dialects.conversation import ROLES, TEXTS
from elastic_reasoning.serving.errors import bad_request
from elastic_reasoning.serving.names import shown


class InputPart(Struct, kw_only=True):
    """A part of an item's content."""

    type: str
    text: str = ""
    image_url: str | None = None
    detail: str | None = None


class InputItem(Struct, kw_only=True):
    """A message, a tool call, its result, or thinking of an earlier turn."""

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[InputPart] | None = None
    summary: list[InputPart] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = "{}"
    output: str | list[InputPart] = ""


class OfferedFunction(Struct, kw_only=True):
    """A function that the model may call."""

    type: Literal["function"]
    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class TextFormat(Struct, kw_only=True):
    """What the solution must look like."""

    type: Literal["text", "json_object", "json_schema"]
    name: str = "answer"
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class TextConfig(Struct, kw_only=True):
    """What is asked of the solution."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ResponsesRequest(Struct, kw_only=True):
    """A response that is asked for."""

    model: str = ""
    input: str | Annotated[list[InputItem], Meta(min_length=1)]
    instructions: str | None = None
    tools: list[OfferedFunction] | None = None
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool = True
    text: TextConfig | None = None
    include: list[str] | None = None
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    chat_template_kwargs: dict[str, Any] | None = None


def check_stateless(given: ResponsesRequest) -> None:
    """Refuse what asks for answers to be kept.

    Raises:
        ApiError: 400.
    """
    fixes = {
        "previous_response_id": "send the whole conversation as input",
        "conversation": "send the whole conversation as input",
        "prompt": "send its text as instructions and input",
        "background": "stream the response",
        "store": "leave it out, or say false",
    }
    for name, fix in fixes.items():
        value = getattr(given, name)
        if value:
            raise bad_request(
                f"{name} {shown(value)}: nothing is stored here, {fix}", name, code="unsupported_parameter"
            )


def messages_of(given: ResponsesRequest) -> tuple[Message, ...]:
    """The conversation as OpenAI's chat endpoint would have it.

    Raises:
        ApiError: 400 where an item is of no kind that can be said there.
    """
    said: list[Message] = [{"role": "system", "content": given.instructions}] if given.instructions else []
    if isinstance(given.input, str):
        return (*said, {"role": "user", "content": given.input})
    turn: dict[str, Any] = {}
    for number, item in enumerate(given.input):
        path = f"input[{number}]"
        part = _of_assistant(item, path)
        if part is None:
            said += _ended(turn)
            turn = {}
            said.append(_message(item, path))
        else:
            if "content" in part and "content" in turn:
                said += _ended(turn)
                turn = {}
            turn = {**turn, **part, "tool_calls": [*turn.get("tool_calls", ()), *part.get("tool_calls", ())]}
    return (*said, *_ended(turn))


def _of_assistant(item: InputItem, path: str) -> dict[str, Any] | None:
    """What an item adds to a turn of the assistant; `None` where it is of nobody else."""
    if item.type == "reasoning":
        parts = item.content if isinstance(item.content, list) and item.content else item.summary or []
        return {"reasoning_content": "\n".join(part.text for part in parts)}
    if item.type == "function_call":
        function = {"name": item.name, "arguments": item.arguments}
        return {"tool_calls": [{"id": item.call_id, "type": "function", "function": function}]}
    if item.type == "message" and item.role == "assistant":
        return {"content": _content(item.content, f"{path}.content")}
    return None


def _ended(turn: Mapping[str, Any]) -> Iterator[Message]:
    if turn:
        kept = {name: value for name, value in turn.items() if value}
        yield {"role": "assistant", "content": "", **kept}


def _message(item: InputItem, path: str) -> Message:
    if item.type == "function_call_output":
        return {"role": "tool", "tool_call_id": item.call_id, "content": _content(item.output, f"{path}.output")}
    if item.type != "message":
        known = "message, reasoning, function_call or function_call_output"
        raise bad_request(f"{path}.type {shown(item.type)}: must be {known}", f"{path}.type")
    if item.role is None:
        raise bad_request(f"{path}.role: must be system, developer, user or assistant", f"{path}.role")
    content = _content(item.content, f"{path}.content")
    return {"role": ROLES.get(item.role, item.role), "content": content}


def _content(content: str | list[InputPart] | None, path: str) -> str | list[Message]:
    """Content as OpenAI's chat endpoint has it: text, or parts where there are images."""
    if content is None or isinstance(content, str):
        return content or ""
    if all(part.type in TEXTS for part in content):
        return "\n".join(part.text for part in content)
    parts: list[Message] = []
    for number, part in enumerate(content):
        if part.type in TEXTS:
            parts.append({"type": "text", "text": part.text})
        elif part.type == "input_image" and part.image_url:
            parts.append({"type": "image_url", "image_url": {"url": part.image_url, "detail": part.detail or "auto"}})
        elif part.type != "refusal":
            where = f"{path}[{number}].type"
            raise bad_request(f"{where} {shown(part.type)}: must be input_text, output_text or input_image", where)
    return parts


def tools_of(given: ResponsesRequest) -> tuple[Message, ...]:
    """The tools as OpenAI's chat endpoint would have them."""
    if given.tool_choice == "none":
        return ()
    return tuple(
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description or "",
                "parameters": tool.parameters or {"type": "object", "properties": {}},
            },
        }
        for tool in given.tools or ()
    )


def chat_only_of(given: ResponsesRequest, messages: tuple[Message, ...]) -> Mapping[str, Any]:
    """What only an upstream's own chat endpoint can honour.

    Raises:
        ApiError: 400 where a tool is chosen that is no function.
    """
    found: dict[str, Any] = {}
    choice = given.tool_choice
    if isinstance(choice, dict):
        if choice.get("type") != "function" or not isinstance(choice.get("name"), str):
            raise bad_request(f"tool_choice {shown(choice)}: must be {{type: function, name}}", "tool_choice")
        found["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif choice == "required":
        found["tool_choice"] = choice
    form = given.text.format if given.text else None
    if form is not None and form.type == "json_schema":
        schema = {"name": form.name, "schema": form.schema or {}, "strict": bool(form.strict)}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form is not None and form.type == "json_object":
        found["response_format"] = {"type": "json_object"}
    if given.top_logprobs:
        found |= {"logprobs": True, "top_logprobs": given.top_logprobs}
    if any(not isinstance(message["content"], str) for message in messages):
        found["messages"] = messages
    return found
