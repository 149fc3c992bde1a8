"""A model behind the gateway: how its engine is opened, and what becomes of messages."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import httpx2
import pytest

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import engine_config
from elastic_reasoning.serving.config import ModelConfig, make_config
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Started
from elastic_reasoning.serving.gateway import open_gateway
from hybrid import write_hybrid
from serving.gateways import listening
from serving.upstreams import QUESTION, chat

PAIR = "mini>mini-e1"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    hybrid = write_hybrid(tmp_path_factory.mktemp("model") / "hybrid")
    thinks_not = {"model": str(hybrid), "chat_template_kwargs": {"thinking": False}}
    config = make_config({"models": {PAIR: {"max_rows": 2}, "hybrid": thinks_not}})
    with listening(open_gateway(config)) as root, httpx2.Client(base_url=root, timeout=60) as client:
        yield client


def account_of(client: httpx2.Client, **settings: object) -> dict[str, object]:
    response = client.post("/v1/chat/completions", json=chat(temperature=0, **settings))
    assert response.status_code == 200, response.text
    account: dict[str, object] = response.json()["elastic"]
    return account


def test_a_pair_of_models_is_a_model(client: httpx2.Client) -> None:
    assert account_of(client, model=PAIR)["thinking_tokens"] == 8


def test_arguments_of_a_request_come_on_top_of_configured_ones(client: httpx2.Client) -> None:
    assert account_of(client, model="hybrid")["thinking_tokens"] == 0
    thinks = {"chat_template_kwargs": {"thinking": True}}
    assert account_of(client, model="hybrid", **thinks)["thinking_tokens"] == 8


@pytest.mark.parametrize("model", [PAIR, "hybrid"])
def test_arguments_that_mean_nothing_are_refused(client: httpx2.Client, model: str) -> None:
    asked = chat(model=model, chat_template_kwargs={"thinkin": True})
    response = client.post("/v1/chat/completions", json=asked)
    assert response.status_code == 400
    assert "chat_template_kwargs" in response.json()["error"]["message"]


def test_a_model_that_is_closed_under_way_says_so() -> None:
    async def work() -> list[object]:
        gateway = open_gateway(make_config({"models": {"mini-e1": {"strategy": "vanilla", "max_rows": 1}}}))
        await gateway.start()
        begun = asyncio.Semaphore(0)

        async def read() -> None:
            messages = ({"role": "user", "content": QUESTION},)
            async with aclosing(gateway.answer(Asked("mini-e1", messages))) as events:
                async for event in events:
                    if isinstance(event, Started):
                        begun.release()

        reading = [asyncio.create_task(read()) for _ in range(20)]
        for _ in reading:
            await begun.acquire()
        await gateway.close()
        return await asyncio.gather(*reading, return_exceptions=True)

    last = asyncio.run(work())[-1]
    assert isinstance(last, ApiError)
    assert (last.status, last.code) == (503, "shutting_down")


def test_a_strategy_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="vanila"):
        make_config({"models": {"mini-e1": {"strategy": "vanila"}}})


def test_settings_of_a_model_are_those_of_its_engine() -> None:
    urls = ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    server = engine_config(ModelConfig(urls=urls, retry_seconds=3.0, mode="by-call")).server
    assert (server.base_urls, server.retry_seconds, server.mode) == (urls, 3.0, "by-call")
    here = engine_config(
        ModelConfig(max_rows=5, dtype="float32", tensor_parallel_size=2, opening="<a>", closing="</a>")
    )
    assert (here.name, here.max_rows, here.dtype, here.chat.closing) == ("transformers", 5, "float32", "</a>")
    assert here.tensor_parallel_size == 2


def test_a_model_that_has_lost_a_device_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = open_gateway(make_config({"models": {"mini-e1": {}}}))
    assert gateway.unready() == ""
    monkeypatch.setattr(TransformersEngine, "is_well", False)
    assert gateway.unready() == "nothing answers for mini-e1"
    asyncio.run(gateway.close())
