"""A model's tool call, as the official clients read it in every dialect, and as they send it back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anthropic import Anthropic
from openai import OpenAI

from serving.clients import strict
from serving.test_tools import CALL, saying

SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
FUNCTION = {"name": "add", "description": "Adds.", "parameters": SCHEMA}
QUESTION: list[Any] = [{"role": "user", "content": "hm"}]


@contextmanager
def calling() -> Iterator[str]:
    """The root URL of a gateway before a model that calls a tool."""
    with saying(f"hm </think> so <tool_call> {CALL} </tool_call> <eos>") as client:
        yield str(client.base_url)


def test_chat_completions() -> None:
    body: dict[str, Any] = {"model": "m", "tools": [{"type": "function", "function": FUNCTION}]}
    with calling() as root, OpenAI(base_url=f"{root}/v1", api_key="none", max_retries=0) as client:
        message = client.chat.completions.create(messages=QUESTION, **body).choices[0].message
        with client.chat.completions.stream(messages=QUESTION, **body) as stream:
            streamed = stream.get_final_completion().choices[0].message
        strict(message)
        turns = [*QUESTION, message.to_dict(), {"role": "tool", "tool_call_id": "c", "content": "hm"}]
        strict(client.chat.completions.create(messages=turns, **body))
    for said in (message, streamed):
        [call] = said.tool_calls or []
        assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"x": 1})


def test_responses() -> None:
    body: dict[str, Any] = {"model": "m", "tools": [{"type": "function", "strict": None, **FUNCTION}]}
    with calling() as root, OpenAI(base_url=f"{root}/v1", api_key="none", max_retries=0) as client:
        whole = client.responses.create(input="hm", **body)
        with client.responses.stream(input="hm", **body) as stream:
            streamed = stream.get_final_response()
        strict(whole)
        items = [item.to_dict() for item in whole.output]
        result = {"type": "function_call_output", "call_id": items[-1]["call_id"], "output": "hm"}
        strict(client.responses.create(input=[*QUESTION, *items, result], **body))
    for said in (whole, streamed):
        call = said.output[-1]
        assert call.type == "function_call"
        assert (call.name, json.loads(call.arguments)) == ("add", {"x": 1})


def test_messages() -> None:
    tool = {"name": "add", "description": "Adds.", "input_schema": SCHEMA}
    body: dict[str, Any] = {"model": "m", "max_tokens": 64, "tools": [tool]}
    with calling() as root, Anthropic(base_url=root, api_key="none", max_retries=0) as client:
        whole = client.messages.create(messages=QUESTION, **body)
        with client.messages.stream(messages=QUESTION, **body) as stream:
            streamed = stream.get_final_message()
        strict(whole)
        block = whole.content[-1]
        assert block.type == "tool_use"
        result = [{"type": "tool_result", "tool_use_id": block.id, "content": "hm"}]
        turns = [*QUESTION, {"role": "assistant", "content": whole.content}, {"role": "user", "content": result}]
        strict(client.messages.create(messages=turns, **body))
    for said in (whole, streamed):
        call = said.content[-1]
        assert call.type == "tool_use"
        assert (call.name, call.input, said.stop_reason) == ("add", {"x": 1}, "tool_use")
