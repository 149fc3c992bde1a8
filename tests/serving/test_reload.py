"""A gateway whose file is read again: models and upstreams come and go, and no stream is lost."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
import yaml

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.serving.asked import Asked, Limits
from elastic_reasoning.serving.config import GatewayConfig, make_config
from elastic_reasoning.serving.events import Event, Finished, Text
from elastic_reasoning.serving.gateway import Gateway, open_gateway
from elastic_reasoning.serving.reload import apply
from fake_servers import Pace, Running, fake_vllm, serving
from serving.test_draining import LOG, served
from serving.upstreams import QUESTION, fake_mini

LIMITS = Limits(thinking=8, solution=12, names={"thinking": "thinking_budget", "solution": "solution_budget"})


def config_of(**urls: list[Running]) -> GatewayConfig:
    """Models with these upstreams."""
    settings = {"model": "fake", "tokenizer": "mini-e1"}
    models = {name: {**settings, "urls": [server.url for server in servers]} for name, servers in urls.items()}
    return make_config({"models": models})


def asking(gateway: Gateway, model: str) -> AsyncGenerator[Event, None]:
    messages = ({"role": "user", "content": QUESTION},)
    return gateway.answer(Asked(model, messages, limits=LIMITS))


async def ended(events: AsyncGenerator[Event, None]) -> str:
    """The text of an answer, which comes to its end."""
    async with aclosing(events):
        found = [event async for event in events]
    assert isinstance(found[-1], Finished)
    return "".join(event.text for event in found if isinstance(event, Text))


def under_change(config: GatewayConfig, work: Callable[[Gateway], Awaitable[None]]) -> None:
    async def live() -> None:
        gateway = open_gateway(config)
        await gateway.start()
        try:
            await work(gateway)
        finally:
            await gateway.close()

    asyncio.run(live())


class Copies:
    """Three upstreams, of which the first comes to a halt in every stream."""

    def __init__(self, stack: ExitStack) -> None:
        self.pace, self.other, self.third = Pace(), Pace(), Pace()
        self.pace.halt = lambda number: 3
        paces = (self.pace, self.other, self.third)
        self.servers = [stack.enter_context(serving(self._app(pace))) for pace in paces]

    def _app(self, pace: Pace) -> Callable[[], Any]:
        return lambda: fake_vllm(fake_mini(), plug_in=True, pace=pace)


def test_models_and_upstreams_come_and_go_and_every_stream_ends() -> None:
    with ExitStack() as stack:
        copies = Copies(stack)
        one, two, three = copies.servers

        async def work(gateway: Gateway) -> None:
            before = [asyncio.create_task(ended(asking(gateway, name))) for name in ("moves", "goes")]
            await asyncio.to_thread(copies.pace.halted.wait, 20)
            await apply(gateway, config_of(moves=[two], comes=[three]))
            assert list(gateway.backends) == ["moves", "comes"]
            texts = [await ended(asking(gateway, name)) for name in ("moves", "comes")]
            assert copies.other.num_streams == copies.third.num_streams == 1
            copies.pace.release.set()
            assert await asyncio.gather(*before) == texts

        under_change(config_of(moves=[one], goes=[one]), work)


def test_what_cannot_be_served_changes_nothing() -> None:
    with ExitStack() as stack:
        one, two, gone = Copies(stack).servers
        gone.stop()

        async def work(gateway: Gateway) -> None:
            for config in (config_of(stays=[two], comes=[gone]), config_of(stays=[gone])):
                with pytest.raises(EngineError, match="does not answer"):
                    await apply(gateway, config)
                assert list(gateway.backends) == ["stays"]
                engine: Any = gateway.backends["stays"].engine
                assert [replica.url for replica in engine.replicas] == [one.url]

        under_change(config_of(stays=[one]), work)


def test_the_file_is_read_when_it_changes_and_on_a_signal_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    model = {"model": "fake", "tokenizer": "mini-e1"}
    file = tmp_path / "gateway.yaml"

    def write(models: Mapping[str, Any]) -> None:
        file.write_text(yaml.safe_dump({"models": models}))

    with serving(lambda: fake_vllm(fake_mini())) as server, served(tmp_path, server.url) as (process, client):
        model["urls"] = [server.url]  # type: ignore[assignment]

        def names() -> list[str]:
            return [each["id"] for each in client.get("/v1/models").json()["data"]]

        def refused() -> int:
            return (tmp_path / LOG).read_text().count("urlz")

        write({"mini-e1": model, "second": model})
        until(lambda: names() == ["mini-e1", "second"])
        write({"mini-e1": {**model, "urlz": []}})
        until(lambda: refused() > 0)
        before = refused()
        process.send_signal(signal.SIGHUP)
        until(lambda: refused() > before)
        assert names() == ["mini-e1", "second"]


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")
