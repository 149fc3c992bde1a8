"""Upstreams that are lost at every moment: no token is lost, none comes twice, and nothing hangs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from aiohttp import web

from elastic_reasoning.engines.http import replicas
from fake_servers import Pace, Running, fake_vllm, serving
from serving.upstreams import before, chat, fake_mini

CHAT = "/v1/chat/completions"
USAGE = {"include_usage": True}
NUM_EVENTS = 24
"""More than a stream has."""
one_pass_too = pytest.mark.parametrize("plug_in", [False, True], ids=["by call", "one pass"])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(replicas, "LONGEST_BACKOFF_SECONDS", 0.05)


@contextmanager
def asked(*servers: Running, retry_seconds: float = 10.0) -> Iterator[httpx2.Client]:
    """A client of a gateway before these upstreams."""
    urls = [server.url for server in servers]
    with before(*urls, model={"retry_seconds": retry_seconds}) as root, httpx2.Client(base_url=root) as client:
        yield client


def streamed(client: httpx2.Client, **settings: Any) -> tuple[str, str, dict[str, Any]]:
    """Thinking and solution of a streamed answer, and the last thing that it says."""
    thinking, solution, last = "", "", dict[str, Any]()
    with client.stream("POST", CHAT, json=chat(stream=True, stream_options=USAGE, **settings)) as response:
        assert response.status_code == 200, response.read()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                last = json.loads(line.removeprefix("data: "))
                for choice in last.get("choices", ()):
                    thinking += choice["delta"].get("reasoning_content") or ""
                    solution += choice["delta"].get("content") or ""
    return thinking, solution, last


def facts(last: dict[str, Any]) -> dict[str, Any]:
    """What an answer says of itself, but for how long it took."""
    return {"usage": last["usage"], **{name: value for name, value in last["elastic"].items() if name != "seconds"}}


@one_pass_too
def test_a_stream_that_breaks_off_anywhere_goes_on_elsewhere(plug_in: bool) -> None:
    pace = Pace()

    def app() -> web.Application:
        return fake_vllm(fake_mini(), plug_in, pace=pace)

    with serving(app) as one, serving(app) as two, asked(one, two) as client:
        *texts, last = streamed(client)
        for place in range(NUM_EVENTS):
            pace.num_streams = 0
            pace.cut = lambda number, place=place: place if number < 2 else None  # type: ignore[misc]
            *found, end = streamed(client)
            assert (found, facts(end)) == (texts, facts(last))


@one_pass_too
def test_a_request_that_is_not_answered_is_asked_elsewhere(plug_in: bool) -> None:
    faults: list[int] = []

    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path == "/v1/completions" and faults:
            status = faults.pop()
            if status:
                return web.json_response({"error": "busy"}, status=status, headers={"Retry-After": "0"})
            assert request.transport is not None
            request.transport.abort()  # type: ignore[attr-defined]
        answer: web.StreamResponse = await handler(request)
        return answer

    def app() -> web.Application:
        application = fake_vllm(fake_mini(), plug_in)
        application.middlewares.append(middleware)
        return application

    with serving(app) as one, serving(app) as two, asked(one, two) as client:
        *texts, _ = streamed(client)
        for status in (0, 429, 500, 503):
            faults += [status] * 3
            assert list(streamed(client)[:2]) == texts
            assert not faults


@one_pass_too
@pytest.mark.parametrize("place", [1, 5])
def test_a_stream_that_nobody_can_go_on_with_ends_with_an_error(plug_in: bool, place: int) -> None:
    pace = Pace()
    with (
        serving(lambda: fake_vllm(fake_mini(), plug_in, pace=pace)) as server,
        asked(server, retry_seconds=0.05) as client,
    ):
        pace.cut = lambda number: place if number == 0 else 0
        pace.num_streams = 0
        thinking, _, last = streamed(client)
        assert thinking
        assert last["error"]["code"] == "upstream_unavailable"
        server.stop()
        whole = client.post(CHAT, json=chat())
        assert (whole.status_code, whole.json()["error"]["code"]) == (503, "upstream_unavailable")
        server.start()
