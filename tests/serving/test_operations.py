"""What operators see of a gateway before a scripted upstream, and what is charged whatever becomes of a request."""

import asyncio
import gc
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from elastic_reasoning.engines.http import pool
from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from elastic_reasoning.serving.keys import entry
from elastic_reasoning.serving.logs import JsonFormatter
from elastic_reasoning.serving.meter import Meter
from fake_servers import Pace, Running, fake_vllm, serving
from serving.gateways import listening
from serving.upstreams import before, chat, fake_mini

CHAT, STATS = "/v1/chat/completions", "/v1/elastic/stats"
SECRET, KEY = "a 4 b -8 c +7 =", "ek-a-key-that-nobody-may-see"


@contextmanager
def gateway(pace: Pace | None = None, **settings: Any) -> Iterator[httpx2.Client]:
    """A client of a gateway before an upstream, whose tokens have a price."""
    with serving(lambda: fake_vllm(fake_mini(), plug_in=True, pace=pace)) as server:
        model = {"urls": [server.url], "model": "fake", "tokenizer": "mini-e1", "retry_seconds": 0.1}
        model |= {"price": {"input": 1, "output": 2}}
        config = make_config({"models": {"mini-e1": model}, **settings})
        with listening(open_gateway(config)) as root, httpx2.Client(base_url=root, timeout=30) as client:
            yield client


def halting(after: int) -> Pace:
    """Streams that come to a halt after so many events, once what the upstream can do was asked of it."""
    pace = Pace()
    pace.halt = lambda number: after
    return pace


def stats_when(client: httpx2.Client, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The counts, as soon as something holds of them."""
    while True:
        stats: dict[str, Any] = client.get(STATS).json()
        if holds(stats):
            return stats


def is_idle(stats: dict[str, Any]) -> bool:
    return stats["running"] == stats["waiting"] == 0


def test_who_leaves_pays_for_what_was_used_and_gives_the_place_on() -> None:
    pace = halting(3)
    with gateway(pace) as client:
        with client.stream("POST", CHAT, json=chat(stream=True)):
            assert pace.halted.wait(20)
        stats = stats_when(client, is_idle)
        assert stats["today"]["requests"] == 1
        assert stats["today"]["cost"] == (stats["today"]["prompt"] + 2 * stats["today"]["completion"]) / 10**6 > 0
        assert stats["models"]["mini-e1"]["total"]["tokens"]["given_up"] == stats["today"]["completion"] > 0


def test_who_leaves_before_a_thinking_is_chosen_pays_for_all_of_them() -> None:
    """No token of theirs was told to anybody."""
    pace = halting(3)
    several = {"strategy": "vote", "num_branches": 2, "thinking_budget": 160, "solution_budget": 20, "temperature": 1}
    with gateway(pace) as client:
        with client.stream("POST", CHAT, json={**chat(stream=True), **several}):
            assert pace.halted.wait(20)
        stats = stats_when(client, is_idle)
        assert stats["models"]["mini-e1"]["total"]["tokens"]["given_up"] == stats["today"]["completion"] > 0


def test_who_leaves_pays_for_probes_too() -> None:
    """Of their tokens nobody is ever told."""
    pace, probing = (
        Pace(),
        {"strategy": "dynasor", "probe_every": 1, "probe_tokens": 8, "probe_text": "so g =", "seed": 1},
    )
    with gateway(pace) as client:
        first = pace.num_streams
        whole = client.post(CHAT, json=chat(**probing)).json()
        last = 2 * pace.num_streams - first - 1
        num_thought, num_before = (
            whole["elastic"]["thinking_tokens"],
            stats_when(client, is_idle)["today"]["completion"],
        )
        num_reasoned = whole["usage"]["completion_tokens_details"]["reasoning_tokens"]
        assert num_reasoned > num_thought + 8
        pace.halt = lambda number: 3 if number == last else None  # in the solution
        with client.stream("POST", CHAT, json=chat(stream=True, **probing)):
            assert pace.halted.wait(20)
        stats = stats_when(client, is_idle)
        num_given_up = stats["models"]["mini-e1"]["total"]["tokens"]["given_up"]
        assert num_reasoned < num_given_up == stats["today"]["completion"] - num_before


def test_what_a_lost_upstream_has_made_is_charged_and_its_loss_counted() -> None:
    pace = Pace()
    with gateway(pace) as client:
        first = pace.num_streams
        pace.cut = lambda number: 3 if number == first else 0
        response = client.post(CHAT, json=chat())
        assert response.status_code == 503, response.text
        stats = stats_when(client, lambda stats: bool(stats["refusals"]["total"]))
        assert stats["today"]["completion"] > 0
        assert stats["models"]["mini-e1"]["total"]["upstream_errors"] == 1
        assert sum(stats["refusals"]["total"].values()) == 1


def test_a_full_gateway_refuses_at_once_and_a_client_that_leaves_the_queue_is_gone() -> None:
    pace = halting(3)
    with gateway(pace, max_running=1, max_waiting=1) as client:
        with client.stream("POST", CHAT, json=chat(stream=True)):
            assert pace.halted.wait(20)
            waiting = httpx2.Client(base_url=client.base_url)
            with pytest.raises(httpx2.ReadTimeout):
                waiting.post(CHAT, json=chat(), timeout=0.5)
            waiting.close()
            stats_when(client, lambda stats: not stats["waiting"])
            pace.release.set()
        stats_when(client, is_idle)
        assert client.post(CHAT, json=chat()).status_code == 200


def test_beyond_the_queue_is_a_429_in_the_dialect_of_the_client() -> None:
    pace = halting(3)
    with (
        gateway(pace, max_running=1, max_waiting=0) as client,
        client.stream("POST", CHAT, json=chat(stream=True)),
    ):
        assert pace.halted.wait(20)
        refusal = client.post("/v1/messages", json=chat(max_tokens=40))
        assert (refusal.status_code, refusal.json()["error"]["type"]) == (429, "rate_limit_error")
        assert int(refusal.headers["retry-after"]) >= 1
        pace.release.set()


@pytest.mark.parametrize(
    ("settings", "says"), [({"n": 5}, "n 5"), ({"stop": ["a", "b", "c"]}, "stop: 3"), ({}, "the prompt has")]
)
def test_more_than_is_allowed_is_refused(settings: dict[str, Any], says: str) -> None:
    with gateway(max_samples=4, max_stops=2, max_prompt_tokens=2) as client:
        response = client.post(CHAT, json=chat(**settings))
        assert response.status_code == 400
        assert says in response.json()["error"]["message"]


def test_a_gateway_whose_upstream_is_gone_lives_and_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WATCH_SECONDS", 0.05)
    server = Running(lambda: fake_vllm(fake_mini(), plug_in=True))
    with before(server.url) as root, httpx2.Client(base_url=root, timeout=30) as client:
        assert client.get("/ready").status_code == 200
        server.close()
        while (response := client.get("/ready")).status_code == 200:
            pass
        assert response.json()["status"] == "nothing answers for mini-e1"
        assert client.get("/health").status_code == 200


def test_two_hundred_at_once_spend_no_more_than_the_day_allows(tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n" + entry("team", KEY) + "\n    daily_limit: 0.0006\n")

    async def statuses(url: httpx2.URL) -> list[int]:
        limits = httpx2.Limits(max_connections=200)
        async with httpx2.AsyncClient(base_url=url, headers={"x-api-key": KEY}, timeout=60, limits=limits) as client:
            answers = await asyncio.gather(*(client.post(CHAT, json=chat(seed=seed)) for seed in range(200)))
        return [answer.status_code for answer in answers]

    with gateway(keys=str(keys)) as client:
        client.headers["x-api-key"] = KEY
        found = Counter(asyncio.run(statuses(client.base_url)))
        today = client.get(STATS).json()["today"]
    assert found.keys() <= {200, 402, 429}
    assert (today["requests"], found.total()) == (found[200], 200)
    assert 0 < today["cost"] <= 0.0006
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) in (Access, Meter)]


def test_neither_keys_nor_prompts_are_told_to_anyone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n" + entry("team", KEY) + "\n")
    messages = [{"role": "user", "content": SECRET}]
    with gateway(keys=str(keys), max_samples=1) as client:
        told = [client.post(CHAT, json=chat(messages=messages), headers={"x-api-key": KEY[:-1]}).text]
        client.headers["authorization"] = f"Bearer {KEY}"
        for more in ({}, {"n": 9}, {"temperature": "hot"}, {"model": "none"}):
            client.post(CHAT, json=chat(messages=messages, **more))
        told += [client.get(path).text for path in ("/metrics", STATS)]
        told += [JsonFormatter().format(record) for record in caplog.records]
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records if record.msg == "request"]
    assert [(line["status"], line.get("key")) for line in lines] == [
        (401, None),
        (200, "team"),
        (400, "team"),
        (400, "team"),
        (404, "team"),
    ]
    assert not [text for text in told if SECRET in text or KEY[:-1] in text]


def test_prompts_are_logged_where_the_operator_wants_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with gateway(log_prompts=True) as client:
        client.post(CHAT, json=chat())
    assert [line for record in caplog.records if "asked" in (line := json.loads(JsonFormatter().format(record)))]


def test_a_failure_is_logged_by_where_it_was_and_not_by_what_it_says() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "failed", (), (KeyError, error, error.__traceback__)
        )
    record.msg = f"failed\nfuture: {SECRET}"
    assert SECRET not in JsonFormatter().format(record)
    assert json.loads(JsonFormatter().format(record))["exception"][-1] == "KeyError"
    assert SECRET in JsonFormatter(with_messages=True).format(record)
