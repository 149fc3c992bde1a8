"""What happens when servers fail, lie, hang, go away and come back."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest
from aiohttp import web

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.pool import Pool, connected
from elastic_reasoning.engines.http.replicas import UnavailableError, UnreachableError
from elastic_reasoning.engines.http.session import Session
from fake_servers import FakeModel, Running, fake_chat, fake_openai, fake_vllm, serving
from letters import letters

KEY = "sk-very-secret-and-long-enough"
MODEL = FakeModel(letters(), ends_in_thinking=False)
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


def requests(num: int = 20) -> list[Request]:
    prompts = (Prompt((5, 6, 7, n % 10 + 4), Thinking.OPEN) for n in range(num))
    return [Request(prompt, Budget(4, 5), name=str(number)) for number, prompt in enumerate(prompts)]


def fails(status: int, message: str = "busy", **headers: str) -> Fault:
    async def fault(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": message}}, status=status, headers=headers)

    return fault


async def hangs(request: web.Request) -> None:
    await asyncio.sleep(60)


async def begins(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    await asyncio.sleep(60)
    return response


async def hangs_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()  # type: ignore[attr-defined]


async def aborts(request: web.Request) -> web.Response:
    choice = {"index": 0, "text": "", "logprobs": None, "finish_reason": "abort", "token_ids": []}
    return web.json_response({"choices": [choice]})


async def is_a_page(request: web.Request) -> web.Response:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


class Faulty:
    """A server that fails as it is told to before it answers; whether it is there can always be seen."""

    def __init__(self) -> None:
        self.faults: Iterator[Fault] = iter(())
        self.num_asked = 0
        self.authorizations: set[str | None] = set()

    def app(self) -> web.Application:
        @web.middleware
        async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
            self.authorizations.add(request.headers.get("Authorization"))
            if request.path == "/v1/models":
                return await handler(request)
            self.num_asked += 1
            fault = next(self.faults, None)
            response = await fault(request) if fault is not None else None
            return response or await handler(request)

        app = fake_vllm(MODEL, plug_in=False)
        app.middlewares.append(middleware)
        return app


@pytest.fixture
def faulty() -> Faulty:
    return Faulty()


@pytest.fixture
def server(faulty: Faulty) -> Iterator[Running]:
    with serving(faulty.app) as running:
        yield running


def expected(new_engine: Any) -> dict[str, tuple[int, ...]]:
    with serving(lambda: fake_vllm(MODEL)) as running:
        return by_name(generate(new_engine(MODEL.template, running.url), requests()))


def by_name(traces: Iterator[Trace]) -> dict[str, tuple[int, ...]]:
    answers: dict[str, tuple[int, ...]] = {}
    for trace in traces:
        assert trace.error is None
        assert trace.request.name not in answers
        answers[trace.request.name] = trace.ids
    return answers


@pytest.mark.parametrize(
    "fault",
    [fails(429, **{"Retry-After": "0"}), fails(500), fails(503), hangs, hangs_up, aborts],
    ids=["429", "500", "503", "hangs", "hangs up", "aborts"],
)
def test_what_passes_is_tried_again_and_loses_nothing(
    fault: Fault, server: Running, faulty: Faulty, new_engine: Any
) -> None:
    engine = new_engine(MODEL.template, server.url, timeout_seconds=0.5, concurrency=4)
    faulty.faults = iter([fault] * 6)
    assert by_name(generate(engine, requests())) == expected(new_engine)


def test_a_server_is_asked_no_sooner_than_it_wants(server: Running, faulty: Faulty, new_engine: Any) -> None:
    engine = new_engine(MODEL.template, server.url, retry_seconds=0.3, concurrency=1)
    faulty.num_asked, faulty.faults = 0, iter([fails(429, **{"Retry-After": "1000"})] * 100)
    with pytest.raises(UnreachableError, match="429 busy"):
        by_name(generate(engine, requests(1)))
    assert faulty.num_asked == 2  # at once, and when patience is at its end


def test_a_busy_copy_is_passed_over(server: Running, faulty: Faulty, new_engine: Any) -> None:
    with serving(lambda: fake_vllm(MODEL)) as other:
        engine = new_engine(MODEL.template, server.url, other.url)
        faulty.num_asked, faulty.faults = 0, iter([fails(429, **{"Retry-After": "1000"})] * 100)
        assert by_name(generate(engine, requests())) == expected(new_engine)
    assert faulty.num_asked <= len(requests())


def test_copies_share_the_work_and_keep_both_calls_of_a_request(new_engine: Any) -> None:
    copies = Faulty(), Faulty()
    with serving(copies[0].app) as one, serving(copies[1].app) as two:
        engine = new_engine(MODEL.template, one.url, two.url, concurrency=8)
        for copy in copies:
            copy.num_asked = 0
        assert by_name(generate(engine, requests())) == expected(new_engine)
    assert min(copy.num_asked for copy in copies) > 5


def test_a_dead_copy_is_done_without(server: Running, new_engine: Any) -> None:
    with serving(lambda: fake_vllm(MODEL)) as gone:
        url = gone.url
    engine = new_engine(MODEL.template, url, server.url)
    assert by_name(generate(engine, requests())) == expected(new_engine)


def test_a_server_that_comes_back_loses_nothing(server: Running, new_engine: Any) -> None:
    engine = new_engine(MODEL.template, server.url, concurrency=4)
    traces = generate(engine, requests())
    first = next(traces)
    server.stop()
    back = threading.Timer(0.3, server.start)
    back.start()
    rest = by_name(traces)
    back.join()
    assert {**rest, first.request.name: first.ids} == expected(new_engine)


# Where the stand-in stops listening just as it accepts a connection, asyncio leaves that one's transport unclosed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fault", [hangs, begins])
def test_what_a_process_that_ends_has_forgotten_is_asked_of_the_next(fault: Fault, new_engine: Any) -> None:
    first = Faulty()
    apps = iter([first.app])
    with serving(lambda: next(apps, lambda: fake_vllm(MODEL))()) as server:
        engine = new_engine(MODEL.template, server.url, concurrency=4)
        # Two requests are never answered; then it ends, and those that wait for an answer keep their connections.
        first.faults = chain([fault, fault], repeat(hangs_up))
        traces = generate(engine, requests())
        replacing = threading.Timer(0.2, server.replace)
        replacing.start()
        assert by_name(traces) == expected(new_engine)
        replacing.join()


def test_a_server_that_stays_away_ends_the_run(server: Running, new_engine: Any) -> None:
    engine = new_engine(MODEL.template, server.url, concurrency=4, retry_seconds=0.1)
    traces = generate(engine, requests())
    next(traces)
    server.stop()
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1.*does not answer.*retry_seconds"):
        list(traces)


def test_nobody_listens_any_more(server: Running, faulty: Faulty, new_engine: Any) -> None:
    engine = new_engine(MODEL.template, server.url, concurrency=4)
    before = threading.active_count()
    traces = generate(engine, requests())
    next(traces)
    faulty.faults = iter([hangs] * 100)
    traces.close()  # type: ignore[attr-defined]
    engine.close()
    assert threading.active_count() == before


def test_a_server_that_is_late_is_not_said_to_be_away(server: Running, faulty: Faulty, new_engine: Any) -> None:
    engine = new_engine(MODEL.template, server.url)
    engine.config = replace(engine.config, timeout_seconds=0.1, retry_seconds=0)
    faulty.faults = iter([hangs] * 100)
    with pytest.raises(UnreachableError, match="lower concurrency or raise timeout_seconds"):
        by_name(generate(engine, requests(1)))


def test_only_a_refused_connection_tells_that_nobody_listens(server: Running) -> None:
    with serving(lambda: fake_vllm(MODEL)) as gone:
        url = gone.url
    for address, is_gone in ((url, True), (server.url.replace("http", "https"), False)):  # which speaks no TLS
        with connected(ServerConfig((address,), "mini")) as (pool, loop):

            async def ask(pool: Pool = pool) -> str:
                with Session(pool) as session:
                    await session.wait(None)
                    return await pool.client.once(session.replica, "models", None)

            with pytest.raises(UnavailableError) as caught:
                asyncio.run_coroutine_threadsafe(ask(), loop).result()
        assert caught.value.is_gone is is_gone


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_accepted_ends_the_run(
    status: int, server: Running, faulty: Faulty, new_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, other = new_engine(MODEL.template, server.url), new_engine(MODEL.template, server.url)
    faulty.faults = iter([fails(status, "who are you?")] * 100)
    with pytest.raises(EngineError, match=f"{status}: the key in OPENAI_API_KEY is not set"):
        by_name(generate(engine, requests()))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)  # it is read as connections are opened
    with pytest.raises(EngineError, match="is set, and not accepted") as caught:
        by_name(generate(other, requests()))
    assert KEY not in str(caught.value)


def test_a_key_is_sent_and_never_shown(
    server: Running,
    faulty: Faulty,
    new_engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", KEY)
    engine = new_engine(MODEL.template, server.url, api_key_env="MY_KEY", retry_seconds=0.05)
    by_name(generate(engine, requests()))
    assert faulty.authorizations == {f"Bearer {KEY}"}
    shown = [repr(engine.config), repr(engine.capabilities), str(vars(engine))]
    for fault in (fails(400, f"bad key {KEY}"), fails(500, f"bad key {KEY}")):
        faulty.faults = iter([fault] * 100)
        try:
            shown += [str(trace.error) for trace in generate(engine, requests(1))]
        except EngineError as error:
            shown += [str(error), repr(error.__cause__)]
    assert any("bad key [key]" in text for text in shown)
    out, err = capfd.readouterr()
    assert KEY not in "".join([*shown, caplog.text, out, err])


def test_an_answer_of_another_kind_ends_the_run(server: Running, faulty: Faulty, new_engine: Any) -> None:
    engine = new_engine(MODEL.template, server.url)
    for fault in (is_a_page, fails(200, "no choices")):
        faulty.faults = iter([fault] * 100)
        with pytest.raises(EngineError, match="something else than was asked for"):
            by_name(generate(engine, requests()))


def test_a_server_that_cannot_be_used_says_why_at_the_start(new_engine: Any) -> None:
    template = MODEL.template
    with serving(lambda: fake_chat(MODEL)) as chat:
        with pytest.raises(EngineError, match=r"serves chat alone.*thinking cannot be closed"):
            new_engine(template, chat.url)
        with pytest.raises(EngineError, match=r"no completions endpoint.*is it the base URL"):
            new_engine(template, chat.url + "/v2", model="fake")
        with pytest.raises(UsageError, match="did you mean 'vllm'"):
            new_engine(template, chat.url, dialect="vlm")
    with pytest.raises(UnreachableError, match="does not answer"):
        new_engine(template, chat.url, retry_seconds=0)


def test_a_dialect_that_is_not_spoken_is_said_so(new_engine: Any) -> None:
    with serving(lambda: fake_openai(MODEL)) as server:
        with pytest.raises(EngineError, match=r"does not answer as vllm does.*unrecognized arguments"):
            new_engine(MODEL.template, server.url, dialect="vllm")
        assert new_engine(MODEL.template, server.url, dialect="openai").counted


def test_text_that_leaves_out_the_delimiter_is_refused(new_engine: Any) -> None:
    with (
        serving(lambda: fake_openai(MODEL, hides=True)) as server,
        pytest.raises(EngineError, match="leaves 'C' out of it"),
    ):
        new_engine(MODEL.template, server.url)


def test_what_stands_beside_the_api_may_be_closed(server: Running, faulty: Faulty, new_engine: Any) -> None:
    async def closed(request: web.Request) -> web.Response | None:
        return None if request.path.startswith("/v1") else web.Response(status=403)

    faulty.faults = iter([closed] * 100)
    assert new_engine(MODEL.template, server.url).capabilities.dialect == "vllm"


def test_the_model_must_be_one_that_is_served(server: Running, new_engine: Any) -> None:
    assert new_engine(MODEL.template, server.url, model="fake").capabilities.model == "fake"
    with pytest.raises(EngineError, match="unknown model 'fakr': did you mean 'fake'"):
        new_engine(MODEL.template, server.url, model="fakr")


def test_copies_must_be_alike(server: Running, new_engine: Any) -> None:
    with (
        serving(lambda: fake_vllm(FakeModel(MODEL.template, context=32))) as other,
        pytest.raises(EngineError, match="are not replicas of one server, with context 64 and 32: start both"),
    ):
        new_engine(MODEL.template, server.url, other.url)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_urls": ("127.0.0.1:8000",)}, "write it as http"),
        ({"base_urls": ("ftp://127.0.0.1",)}, "write it as http"),
        ({"concurrency": 0}, "must be 1 or more"),
        ({"timeout_seconds": 0}, "must be more than 0"),
        ({"retry_seconds": -1}, "must be 0 or more"),
        ({"mode": "two"}, "must be one of auto, one-pass, by-call"),
    ],
)
def test_settings_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ServerConfig(**{"base_urls": ("http://127.0.0.1:8000/v1",), "tokenizer": "mini", **changes})


def test_a_url_is_needed(new_engine: Any) -> None:
    with pytest.raises(UsageError, match="no base URL"):
        new_engine(MODEL.template)


def test_a_key_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="set OPENAI_API_KEY instead") as caught:
        ServerConfig((f"http://me:{KEY}@127.0.0.1:8000/v1",), "mini")
    assert KEY not in str(caught.value)
