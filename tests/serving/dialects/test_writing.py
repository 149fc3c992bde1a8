"""What is written of the events of a request, held against the official types: whole, streamed, with tool calls."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.chat import CHAT
from elastic_reasoning.serving.dialects.completions import COMPLETIONS
from elastic_reasoning.serving.dialects.dialect import Dialect, Head, encode
from elastic_reasoning.serving.dialects.messages import MESSAGES
from elastic_reasoning.serving.dialects.responses import RESPONSES
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, ToolCall, Usage
from serving.dialects import bodies

HEAD = Head("0123abcd", 1_700_000_000, "mini-e1")
USAGE = Usage(7, 3, 12, 5)
WHOLE = {
    CHAT.path: TypeAdapter(ChatCompletion),
    COMPLETIONS.path: TypeAdapter(Completion),
    RESPONSES.path: TypeAdapter(Response),
    MESSAGES.path: TypeAdapter(Message),
}
PARTS: dict[str, Any] = {
    CHAT.path: TypeAdapter(ChatCompletionChunk),
    COMPLETIONS.path: TypeAdapter(dict),  # OpenAI's type has a chunk end a completion
    RESPONSES.path: TypeAdapter(ResponseStreamEvent),
    MESSAGES.path: TypeAdapter(RawMessageStreamEvent),
}
ASKED = {
    CHAT.path: CHAT.read({**bodies.CHAT, "n": 1}),
    COMPLETIONS.path: COMPLETIONS.read({**bodies.COMPLETION, "prompt": "a", "n": 1, "best_of": 1}),
    RESPONSES.path: RESPONSES.read(bodies.RESPONSE),
    MESSAGES.path: MESSAGES.read(bodies.MESSAGE),
}
DIALECTS = pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS, RESPONSES, MESSAGES], ids=lambda each: each.path)

texts = st.builds(
    Text,
    sample=st.just(0),
    phase=st.sampled_from([Phase.THINKING, Phase.SOLUTION]),
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    num_tokens=st.integers(0, 3),
)
arguments = st.sampled_from(["{}", '{"a": 1}', "", "[1", "5", '{"a": "\\ud800"}'])
calls = st.builds(ToolCall, st.just(0), st.just(0), st.just("call_1"), st.sampled_from(["add", ""]), arguments)
ends = st.builds(
    Ended,
    sample=st.just(0),
    finish_reason=st.sampled_from(["stop", "length", "tool_calls"]),
    usage=st.just(USAGE),
    account=st.just({}),
    stop=st.sampled_from([None, "x"]),
    logprobs=st.sampled_from([None, [("4", -0.5), ("\ufffd", -1.0)]]),
)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """All events of a request of one sample."""
    between: list[Any] = draw(st.lists(st.one_of(texts, calls), max_size=6))
    return [Started(7, {}), *between, draw(ends), Finished(USAGE, {"thinking_tokens": 5})]


def streamed(dialect: Dialect, asked: Asked, events: Sequence[Event]) -> Iterator[Any]:
    """The data of the server-sent events, each of its official type."""
    writer = dialect.writer(HEAD, asked)
    for data in sse_data(b"".join(part for event in events for part in writer.write(event))):
        PARTS[dialect.path].validate_json(data, strict=True)
        yield json.loads(data)


def sse_data(stream: bytes) -> Iterator[bytes]:
    for event in stream.split(b"\n\n"):
        name, data = b"", b""
        for line in event.split(b"\n"):
            name = line.removeprefix(b"event: ") if line.startswith(b"event: ") else name
            data = line.removeprefix(b"data: ") if line.startswith(b"data: ") else data
        if data and data != b"[DONE]" and name != b"ping":
            assert not name or json.loads(data)["type"] == name.decode()
            yield data


@DIALECTS
@given(events=answers())
def test_a_stream_adds_up_to_the_whole_answer(dialect: Dialect, events: list[Event]) -> None:
    asked = ASKED[dialect.path]
    data = encode(dialect.whole(HEAD, asked, events))
    WHOLE[dialect.path].validate_json(data, strict=True)
    whole, parts = json.loads(data), list(streamed(dialect, asked, events))
    ADDS_UP[dialect.path](whole, parts)


def chat_adds_up(whole: Any, parts: list[Any]) -> None:
    [choice] = whole["choices"]
    deltas = [each["delta"] for part in parts for each in part["choices"]]
    for name in ("content", "reasoning_content"):
        assert "".join(delta.get(name) or "" for delta in deltas) == (choice["message"].get(name) or "")
    said = [call["function"] for delta in deltas for call in delta.get("tool_calls", ())]
    assert said == [call["function"] for call in choice["message"].get("tool_calls", ())]
    assert parts[-1]["elastic"] == whole["elastic"]
    assert parts[-1]["usage"] == whole["usage"]
    assert parts[-2]["choices"][0]["logprobs"] == choice["logprobs"]


def completion_adds_up(whole: Any, parts: list[Any]) -> None:
    [choice] = whole["choices"]
    said = [each for part in parts for each in part["choices"]]
    assert "".join(each["text"] for each in said) == choice["text"]
    assert "".join(each.get("reasoning", "") for each in said) == choice.get("reasoning", "")
    assert (said[-1]["finish_reason"], said[-1]["logprobs"]) == (choice["finish_reason"], choice["logprobs"])
    assert parts[-1]["elastic"] == whole["elastic"]


def response_adds_up(whole: Any, parts: list[Any]) -> None:
    final = parts[-1]["response"]
    assert {**final, "completed_at": 0} == {**whole, "completed_at": 0}
    items = {part["output_index"]: part["item"] for part in parts if part["type"] == "response.output_item.done"}
    assert [items[number] for number in sorted(items)] == final["output"]
    assert [part["sequence_number"] for part in parts] == list(range(len(parts)))
    for part in parts:
        if part["type"].endswith("text.done"):
            deltas = [p["delta"] for p in parts if "delta" in p and p["item_id"] == part["item_id"]]
            assert "".join(deltas) == part["text"]


def message_adds_up(whole: Any, parts: list[Any]) -> None:
    snapshot, buffers = None, dict[int, bytes]()
    for part in parts:
        event: Any = PARTS[MESSAGES.path].validate_python(part)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    said = snapshot.to_dict()
    for block, other in zip(said["content"], whole["content"], strict=True):
        assert {name: block[name] for name in other} == other
    assert (said["stop_reason"], said["stop_sequence"]) == (whole["stop_reason"], whole["stop_sequence"])
    assert parts[-2]["elastic"] == whole["elastic"]


ADDS_UP = {
    CHAT.path: chat_adds_up,
    COMPLETIONS.path: completion_adds_up,
    RESPONSES.path: response_adds_up,
    MESSAGES.path: message_adds_up,
}


@DIALECTS
@pytest.mark.parametrize("status", [429, 503])
def test_a_stream_that_fails_says_why(dialect: Dialect, status: int) -> None:
    writer = dialect.writer(HEAD, ASKED[dialect.path])
    parts = [*writer.write(Started(7, {})), *writer.write(Text(0, Phase.THINKING, "a", 1))]
    *_, last = sse_data(b"".join([*parts, *writer.fail(ApiError(status, "the upstream is gone", code="gone"))]))
    told = json.loads(last)
    if dialect is RESPONSES:
        PARTS[dialect.path].validate_json(last, strict=True)
        told = told["response"]
    assert told["error"]["message"] == "the upstream is gone"
