"""Tool calls through the gateway: what the model writes of them, and what clients see."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.tools import Tools
from elastic_reasoning.engines.scripted import ScriptedEngine, word_template
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.config import ModelConfig, make_config
from elastic_reasoning.serving.effort import Efforts
from elastic_reasoning.serving.gateway import Gateway
from letters import by_position
from serving.gateways import listening

CALL = '{"name":"add","arguments":{"x":1}}'
WORDS = ["<tool_call>", "</tool_call>", CALL, "{broken", "hm", "so", "well"]
PLAIN = word_template("<think>", "</think>", "<eos>", WORDS)
OPENING, CLOSING = (TokenDelimiter(text, PLAIN.encode(text)) for text in WORDS[:2])
TEMPLATE = replace(PLAIN, tools=Tools(((OPENING, CLOSING),)))
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


@contextmanager
def saying(words: str) -> Iterator[httpx2.Client]:
    """A client of a gateway before a model that says these words."""
    engine = ScriptedEngine(by_position(TEMPLATE.encode(words), TEMPLATE), TEMPLATE)
    backend = Backend("m", ModelConfig(), engine, Efforts())
    gateway = Gateway(make_config({"models": {"m": {}}}), {"m": backend})
    with listening(gateway) as root, httpx2.Client(base_url=root) as client:
        yield client


def asked(**settings: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hm"}], "tools": [TOOL], **settings}


def post(client: httpx2.Client, **settings: Any) -> dict[str, Any]:
    response = client.post("/v1/chat/completions", json=asked(**settings))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize("thinking", ["hm </think> so", "hm"], ids=["in the solution", "in thinking"])
@pytest.mark.parametrize("calls", [1, 2])
def test_calls_are_told_as_calls(thinking: str, calls: int) -> None:
    written = " ".join([f"<tool_call> {CALL} </tool_call>"] * calls)
    with saying(f"{thinking} {written} <eos>") as client:
        answer = post(client)
        [choice] = answer["choices"]
        found = [call["function"] for call in choice["message"]["tool_calls"]]
        assert found == [{"name": "add", "arguments": '{"x": 1}'}] * calls
        assert choice["finish_reason"] == "tool_calls"
        assert (answer["elastic"]["tool_tokens"], answer["elastic"]["unread_tool_calls"]) == (3 * calls, 0)
        response = client.post("/v1/chat/completions", json=asked(stream=True))
        lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
        deltas = [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]
        told = [call for delta in deltas for call in delta.get("tool_calls", ())]
        assert [call["function"] for call in told] == found
        assert [call["index"] for call in told] == list(range(calls))
        assert len({call["id"] for call in told}) == calls


def test_no_budget_cuts_a_call() -> None:
    with saying(f"hm </think> so <tool_call> {CALL} </tool_call> well well <eos>") as client:
        answer = post(client, thinking_budget=4, solution_budget=2)
    [choice] = answer["choices"]
    assert len(choice["message"]["tool_calls"]) == 1
    assert choice["finish_reason"] == "length"
    assert answer["elastic"]["solution_tokens"] == 2


def test_what_cannot_be_read_is_shown_as_it_stands_and_said() -> None:
    with saying("hm </think> so <tool_call> {broken </tool_call> <eos>") as client:
        answer = post(client)
    [choice] = answer["choices"]
    assert choice["message"]["content"] == "so<tool_call> {broken </tool_call>"
    assert "tool_calls" not in choice["message"]
    assert (choice["finish_reason"], answer["elastic"]["unread_tool_calls"]) == ("stop", 1)


def test_tools_that_are_not_to_be_called_are_not_offered() -> None:
    with saying(f"hm </think> so <tool_call> {CALL} </tool_call> <eos>") as client:
        answer = post(client, tool_choice="none")
    assert answer["choices"][0]["finish_reason"] == "stop"
