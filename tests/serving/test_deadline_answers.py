"""Deadlines of the gateway before the local engine, by a clock that the tests move."""

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests

from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.deadlines import Deadlines
from elastic_reasoning.serving.gateway import Gateway, open_gateway
from elastic_reasoning.serving.pace import Pace
from serving.gateways import listening

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    return open_gateway(make_config({"models": {"mini-e1": {}}}))


@pytest.fixture(scope="module")
def url(gateway: Gateway) -> Iterator[str]:
    with listening(gateway) as url:
        yield f"{url}/v1/chat/completions"


def ask(url: str, **parameters: Any) -> requests.Response:
    body = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, **parameters}
    return requests.post(url, json=body, timeout=60)


def test_thinking_is_closed_when_its_time_is_over(gateway: Gateway, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    backend = gateway.backends["mini-e1"]
    monkeypatch.setattr(backend, "deadlines", Deadlines(Pace(), 64, lambda: time.monotonic() + next(ticks) / 100))
    answer = ask(url, thinking_budget=400, min_thinking=400, solution_budget=20, deadline_seconds=1).json()
    account = answer["elastic"]
    assert account["thinking_ended_by"] == account["deadline"]["closed_by"] == "time"
    assert account["deadline"]["seconds"] == 1
    assert account["thinking_tokens"] < 400
    assert answer["choices"][0]["message"]["content"]


def test_time_that_is_not_short_changes_nothing(url: str) -> None:
    settings = {"thinking_budget": 64, "solution_budget": 20}
    plain, timed = ask(url, **settings).json(), ask(url, **settings, deadline_seconds=600).json()
    assert timed["choices"] == plain["choices"]
    assert timed["elastic"]["deadline"]["kept"] is True
    assert "deadline" not in plain["elastic"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_kept_is_refused_before_anything_is_streamed(url: str, stream: bool) -> None:
    ask(url, thinking_budget=32, solution_budget=20)  # it is known how fast the model is
    refused = ask(url, solution_budget=20, deadline_seconds=1e-4, stream=stream)
    assert refused.status_code == 400
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("deadline_infeasible", "deadline_seconds")
    assert error["earliest_seconds"] > 1e-4


@pytest.mark.parametrize("seconds", [0, -1, "soon", True])
def test_a_deadline_is_a_number_of_seconds(url: str, seconds: Any) -> None:
    assert ask(url, deadline_seconds=seconds).status_code == 400
