"""Several thinkings of one prompt through the gateway: one answer, and all that it took in its usage."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from serving.gateways import listening

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
VOTE = {"strategy": "vote", "num_branches": 3, "thinking_budget": 140, "solution_budget": 20}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listening(open_gateway(make_config({"models": {"mini-e1": {"max_rows": 2}}}))) as url:
        yield f"{url}/v1/chat/completions"


def ask(url: str, **parameters: Any) -> requests.Response:
    body = {"messages": [{"role": "user", "content": QUESTION}], "seed": 3, **parameters}
    return requests.post(url, json=body, timeout=60)


def test_an_answer_is_that_of_the_chosen_branch_and_its_usage_that_of_all(url: str) -> None:
    answer = ask(url, **VOTE).json()
    usage, account, message = answer["usage"], answer["elastic"], answer["choices"][0]["message"]
    assert message["content"].endswith("2")
    assert message["reasoning_content"]
    assert account["branches"] == 3
    assert usage["completion_tokens"] == account["spent_tokens"] + account["forced_tokens"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] > account["thinking_tokens"]
    streamed = ask(url, **VOTE, stream=True, stream_options={"include_usage": True}).text
    events = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data: {")]
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]
    assert next(event["usage"] for event in reversed(events) if event.get("usage")) == usage


def test_what_cannot_be_is_refused_as_a_request(url: str) -> None:
    refused = ask(url, **VOTE, temperature=0)
    assert refused.status_code == 400
    assert "temperature" in refused.json()["error"]["message"]


def test_time_that_is_short_closes_all_of_them(url: str) -> None:
    ask(url, thinking_budget=32, solution_budget=20)  # it is known how fast the model is
    long = {"thinking_budget": 400, "solution_budget": 20}
    answer = ask(url, strategy="vote", num_branches=3, **long, deadline_seconds=30).json()
    assert "error" not in answer
    assert answer["elastic"]["deadline"]["kept"] is True
    assert answer["elastic"]["branches"] == 3
