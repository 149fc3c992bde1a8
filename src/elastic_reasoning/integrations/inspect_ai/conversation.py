"""Messages and tools of inspect_ai as chat templates want them.

Thinking of earlier turns is `reasoning_content`: whether a prompt holds it is for the chat template to say.
"""

from collections.abc import Sequence

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ContentReasoning, ContentText
from inspect_ai.tool import ToolInfo

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.template import Message


def for_template(message: ChatMessage) -> Message:
    """A message as a chat template wants it.

    Raises:
        UsageError: it holds something else than text.
    """
    said: dict[str, object] = {"role": message.role, "content": _text(message)}
    if isinstance(message, ChatMessageAssistant):
        thoughts = [each.reasoning for each in message.content_list if isinstance(each, ContentReasoning)]
        if thoughts:
            said["reasoning_content"] = "\n".join(thoughts)
        if message.tool_calls:
            said["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.function, "arguments": call.arguments}}
                for call in message.tool_calls
            ]
    if isinstance(message, ChatMessageTool):
        said |= {"tool_call_id": message.tool_call_id, "name": message.function}
        if message.error is not None:
            said["content"] = f"Error: {message.error.message}"
    return said


def _text(message: ChatMessage) -> str:
    for each in message.content_list:
        if not isinstance(each, ContentText | ContentReasoning):
            raise UsageError(
                f"a message of role {message.role} holds {each.type}: the provider elastic reads text alone; leave it "
                "out, or serve the model with `elastic serve` and use the provider openai-api"
            )
    return str(message.text)


def schemas(tools: Sequence[ToolInfo]) -> list[Message]:
    """Tools as JSON schemas of functions."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters.model_dump(exclude_none=True),
            },
        }
        for tool in tools
    ]
