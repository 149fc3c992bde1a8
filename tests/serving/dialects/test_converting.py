"""Conversations of every dialect become the same messages for chat templates; errors have each one's shape."""

import json
from typing import Any

import pytest
from anthropic.types import ErrorResponse
from pydantic import TypeAdapter

from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects import messages as anthropic
from elastic_reasoning.serving.dialects import openai
from elastic_reasoning.serving.dialects.chat import CHAT
from elastic_reasoning.serving.dialects.dialect import encode
from elastic_reasoning.serving.dialects.messages import MESSAGES
from elastic_reasoning.serving.dialects.responses import RESPONSES
from elastic_reasoning.serving.errors import ApiError, bad_request
from serving.dialects import bodies

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
SAID = [
    {"role": "system", "content": "Calculate."},
    {"role": "user", "content": "a 4 b -8 ="},
    {
        "role": "assistant",
        "content": "I add.",
        "reasoning_content": "thought",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "5"},
    {"role": "user", "content": [{"type": "text", "text": "And now?"}, IMAGE]},
]
FUNCTION = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}
WRITTEN_CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
CHOSEN = {"type": "function", "function": {"name": "add"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True}}

CHAT_BODY: dict[str, Any] = {
    "messages": [
        {"role": "developer", "content": "Calculate."},
        SAID[1],
        {"role": "assistant", "content": "I add.", "reasoning": "thought", "tool_calls": [WRITTEN_CALL]},
        SAID[3],
        SAID[4],
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": CHOSEN,
    "response_format": FORMAT,
}
RESPONSE_BODY: dict[str, Any] = {
    "instructions": "Calculate.",
    "input": [
        {"role": "user", "content": "a 4 b -8 ="},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "thought"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I add."}]},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "5"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "And now?"},
                {"type": "input_image", "image_url": IMAGE["image_url"]["url"]},  # type: ignore[index]
            ],
        },
    ],
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": {"type": "function", "name": "add"},
    "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}},
}
MESSAGE_BODY: dict[str, Any] = {
    "max_tokens": 64,
    "system": "Calculate.",
    "messages": [
        {"role": "user", "content": "a 4 b -8 ="},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "thought", "signature": "s"},
                {"type": "text", "text": "I add."},
                {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "5"},
                {"type": "text", "text": "And now?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ],
        },
    ],
    "tools": [{"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "tool", "name": "add"},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
}
ASKED = {
    "chat": CHAT.read(CHAT_BODY),
    "responses": RESPONSES.read(RESPONSE_BODY),
    "messages": MESSAGES.read(MESSAGE_BODY),
}


def without_details(messages: Any) -> list[dict[str, Any]]:
    """Messages, of images the address alone."""
    told = json.loads(json.dumps(messages))
    for message in told:
        for part in message["content"] if isinstance(message["content"], list) else ():
            part.get("image_url", {}).pop("detail", None)
    return list(told)


@pytest.mark.parametrize("asked", ASKED.values(), ids=list(ASKED))
def test_a_conversation_with_tools_and_images_is_the_same_in_every_dialect(asked: Asked) -> None:
    assert without_details(asked.messages) == SAID
    assert [dict(tool) for tool in asked.tools] == [{"type": "function", "function": FUNCTION}]
    assert asked.chat_only["tool_choice"] == CHOSEN
    assert asked.chat_only["response_format"] == FORMAT
    sent = without_details(asked.chat_only["messages"])
    assert sent[2]["tool_calls"] == [WRITTEN_CALL]
    assert sent[4]["content"] == SAID[4]["content"]


def test_what_asks_for_nothing_needs_no_chat_endpoint() -> None:
    neutral = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        "response_format": {"type": "text"},
        "tool_choice": "auto",
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "top_logprobs": 0,
        "user": "u",
        "stop": None,
    }
    asked = CHAT.read(neutral)
    assert (asked.chat_only, asked.ignored) == ({}, ())
    assert asked.messages == ({"role": "user", "content": "a\nb"},)


def test_grammars_of_servers_are_for_their_own_endpoint() -> None:
    asked = CHAT.read({"messages": [{"role": "user", "content": "a"}], "guided_regex": "[0-9]+"})
    assert (asked.chat_only, asked.ignored) == ({"guided_regex": "[0-9]+"}, ())


def test_the_answer_names_what_meant_nothing() -> None:
    asked = CHAT.read({"messages": [{"role": "user", "content": "a"}], "web_search_options": {}, "lora": None})
    assert asked.ignored == ("web_search_options",)
    assert openai.account_json(asked, {"seconds": 1}) == {"seconds": 1, "ignored": ["web_search_options"]}


@pytest.mark.parametrize(
    ("read", "body", "param"),
    [
        (CHAT.read, {**bodies.CHAT, "n": 0}, "n"),
        (CHAT.read, {**bodies.CHAT, "functions": [{"name": "add"}]}, "functions"),
        (CHAT.read, {**bodies.CHAT, "tools": [{"type": "custom"}]}, "tools[0].type"),
        (
            CHAT.read,
            {**bodies.CHAT, "messages": [{"role": "user", "content": [{"text": "a"}]}]},
            "messages[0].content[0]",
        ),
        (RESPONSES.read, {**bodies.RESPONSE, "store": True}, "store"),
        (RESPONSES.read, {**bodies.RESPONSE, "input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        (RESPONSES.read, {**bodies.RESPONSE, "tools": [{"type": "web_search"}]}, "tools[0].type"),
        (MESSAGES.read, {**bodies.MESSAGE, "max_tokens": None}, ""),
        (MESSAGES.read, {**bodies.MESSAGE, "temperature": 1.5}, "temperature"),
        (MESSAGES.read, {**bodies.MESSAGE, "thinking_budgt": 5}, ""),
    ],
)
def test_a_refusal_names_the_path(read: Any, body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(body)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.message.startswith(param)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 408, 413, 422, 429, 500, 502, 503, 504])
def test_errors_have_the_shape_of_their_dialect(status: int) -> None:
    error = ApiError(status, "why", code="a_code", param="n", details={"more": 1})
    told = TypeAdapter(ErrorResponse).validate_json(encode(anthropic.error_body(error)), strict=True)
    assert told.error.message == "why"
    said = openai.error_body(error)["error"]
    assert (said["message"], said["code"], said["param"], said["more"]) == ("why", "a_code", "n", 1)
    assert (said["type"] == "server_error") == (status >= 500)
    assert openai.error_body(bad_request("why"))["error"]["param"] is None
