"""Answers made to do harm: one bad answer is the error of its request, and the others lose nothing."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.replicas import Replica, UnavailableError, retry_after
from fake_servers import FakeModel, fake_llama_cpp, fake_openai, fake_sglang, fake_vllm, serving
from letters import letters

MODEL = FakeModel(letters(), ends_in_thinking=False)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Spoil = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


def requests(num: int = 6) -> list[Request]:
    prompts = (Prompt((5, 6, 7, n % 10 + 4), Thinking.OPEN) for n in range(num))
    return [Request(prompt, Budget(4, 5), name=str(number)) for number, prompt in enumerate(prompts)]


class Spoiled:
    """A fake server, one of whose answers is spoiled."""

    def __init__(self, fake: Callable[[FakeModel], web.Application]) -> None:
        self._fake = fake
        self.spoil: Spoil | None = None

    def app(self) -> web.Application:
        @web.middleware
        async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
            if request.method == "GET" or self.spoil is None:
                return await handler(request)
            spoil, self.spoil = self.spoil, None
            return await spoil(request, handler)

        app = self._fake(MODEL)
        app.middlewares.append(middleware)
        return app


def answers(new_engine: Any, fake: Callable[[FakeModel], web.Application], spoil: Spoil | None, **settings: Any) -> Any:
    """Traces by name, of a server whose first answer is spoiled."""
    server = Spoiled(fake)
    with serving(server.app) as running:
        engine = new_engine(MODEL.template, running.url, concurrency=1, **settings)
        server.spoil = spoil
        return {trace.request.name: trace for trace in generate(engine, requests())}


def check_one_error(traces: dict[str, Trace], expected: dict[str, Trace], message: str) -> None:
    first, *others = traces
    assert traces[first].error is not None
    assert message in traces[first].error
    assert "\n" not in traces[first].error
    assert len(traces[first].error) < 400
    assert {name: traces[name].ids for name in others} == {name: expected[name].ids for name in others}
    assert all(traces[name].error is None for name in others)


WAITS = [
    "0",
    "3600",
    "9" * 400,
    "1e9",
    "²",
    "-3600",
    "soon",
    "Fri, 31 Dec 2099 23:59:59 GMT",
    "Thu, 1 Jan 1970 00:00:00",
]


@pytest.mark.parametrize("wait", WAITS)
def test_no_server_makes_a_run_wait_longer_than_its_user_lets_it(wait: str, new_engine: Any) -> None:
    async def busy(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": wait})

    traces = answers(new_engine, fake_vllm, busy, retry_seconds=0.3)
    assert {name: trace.ids for name, trace in traces.items()} == {
        name: trace.ids for name, trace in answers(new_engine, fake_vllm, None).items()
    }


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[("0", 0), ("7", 7), (" 7 ", 7), ("1.5", 1.5), ("3600", 60), ("9" * 400, 60), ("9" * 5000, 60)],
        *[("-1", 0), ("²", 0), ("٣", 0), ("nan", 0), ("inf", 0), ("1e3", 0), ("soon", 0), ("", 0)],
        *[("Thu, 01 Jan 2026 00:00:07 GMT", 7), ("Thu, 01 Jan 2026 00:00:07 -0000", 7)],
        *[("Fri, 31 Dec 2099 23:59:59 GMT", 60), ("Wed, 31 Dec 2025 23:59:59 GMT", 0)],
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_capped(header: str, seconds: float) -> None:
    assert retry_after(header, NOW, most_seconds=60) == seconds


def test_how_long_a_replica_wanted_to_be_left_alone_is_forgotten_once_it_answers() -> None:
    replica = Replica("http://127.0.0.1:8000/v1", lambda: None)
    replica.mark_failed(0.0, UnavailableError("busy", retry_after_seconds=3600))
    assert replica.retry_at == 3600
    asyncio.run(replica.mark_healthy())
    assert replica.retry_at == 0


def changing(change: Callable[[dict[str, Any]], None]) -> Spoil:
    """An answer, or the first event of a stream, in which something is changed.

    Python's JSON writes what JSON does not know.
    """

    async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        assert isinstance(response, web.Response)
        assert response.text is not None
        event, streams, others = response.text.removeprefix("data: ").partition("\n\n")
        answer = json.loads(event)
        change(answer)
        text = f"data: {json.dumps(answer)}\n\n{others}" if streams else json.dumps(answer)
        return web.Response(text=text, content_type=response.content_type)

    return spoil


def vllm_ids(answer: dict[str, Any], value: Any) -> None:
    answer["choices"][0]["token_ids"][0] = value


def vllm_logprob(answer: dict[str, Any], value: Any) -> None:
    answer["choices"][0]["logprobs"]["token_logprobs"][0] = value


def vllm_choice(answer: dict[str, Any], value: Any) -> None:
    answer["choices"] = value


def sglang_id(answer: dict[str, Any], value: Any) -> None:
    answer["meta_info"]["output_token_logprobs"][0][1] = value


def sglang_logprob(answer: dict[str, Any], value: Any) -> None:
    answer["meta_info"]["output_token_logprobs"][0][0] = value


def sglang_reason(answer: dict[str, Any], value: Any) -> None:
    answer["meta_info"]["finish_reason"] = value


def llama_cpp_id(answer: dict[str, Any], value: Any) -> None:
    answer["tokens"][0] = answer["completion_probabilities"][0]["id"] = value


def llama_cpp_logprob(answer: dict[str, Any], value: Any) -> None:
    answer["completion_probabilities"][0]["logprob"] = value


def openai_text(answer: dict[str, Any], value: Any) -> None:
    answer["choices"][0]["text"] = value


NO_IDS = [True, -1, 5.5, 5.0, None, "5", [5], {}, 10**6, 2**63, 2**70, float("nan")]
NO_LOGPROBS = ["x", None, True, float("nan"), float("inf"), float("-inf"), 0.5, [], {}]


@pytest.mark.parametrize(
    ("fake", "put", "value"),
    [
        *[(fake_vllm, vllm_ids, value) for value in NO_IDS],
        *[(fake_vllm, vllm_logprob, value) for value in NO_LOGPROBS],
        *[(fake_vllm, vllm_choice, value) for value in ([], [None], None, {}, [[]], [{}], [{"token_ids": []}])],
        *[(fake_sglang, sglang_id, value) for value in NO_IDS],
        *[(fake_sglang, sglang_logprob, value) for value in NO_LOGPROBS],
        *[(fake_sglang, sglang_reason, value) for value in (None, {}, {"type": 5}, {"type": "stop", "matched": 10**9})],
        *[(fake_llama_cpp, llama_cpp_id, value) for value in NO_IDS],
        *[(fake_llama_cpp, llama_cpp_logprob, value) for value in NO_LOGPROBS],
        *[(fake_openai, openai_text, value) for value in (None, 5, ["x"], {}, "x" * 10_000)],
    ],
)
def test_what_no_model_can_have_sampled_is_the_error_of_its_request(
    fake: Callable[[FakeModel], web.Application], put: Callable[[Any, Any], None], value: Any, new_engine: Any
) -> None:
    traces = answers(new_engine, fake, changing(lambda answer: put(answer, value)))
    check_one_error(traces, answers(new_engine, fake, None), "the server")


@pytest.mark.parametrize("change", [lambda values: values.pop(), lambda values: values.append(-1.0)])
def test_there_is_one_log_probability_for_each_id(change: Callable[[list[float]], Any], new_engine: Any) -> None:
    spoil = changing(lambda answer: change(answer["choices"][0]["logprobs"]["token_logprobs"]))
    traces = answers(new_engine, fake_vllm, spoil)
    check_one_error(traces, answers(new_engine, fake_vllm, None), "log-probabilities for")


def test_ids_that_do_not_keep_to_the_budget_are_the_error_of_their_request(new_engine: Any) -> None:
    def fake(model: FakeModel) -> web.Application:
        return fake_vllm(model, plug_in=True)

    for change in (lambda ids: ids.pop(), lambda ids: ids.clear(), lambda ids: ids.insert(0, 10**6)):

        def shorten(answer: dict[str, Any], change: Callable[[list[int]], Any] = change) -> None:
            choice = answer["choices"][0]
            choice["logprobs"] = None
            change(choice["token_ids"])

        check_one_error(answers(new_engine, fake, changing(shorten)), answers(new_engine, fake, None), "the server")


def test_half_a_letter_in_a_text_is_data(new_engine: Any) -> None:
    traces = answers(new_engine, fake_openai, changing(lambda answer: openai_text(answer, "x\ud83d")))
    assert len(traces) == len(requests())


BOMB = gzip.compress(b" " * 2**25, compresslevel=1)


async def bomb(request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"}, content_type="application/json")


async def endless(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 2**16)


async def one_line_of_events(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: ")
    while True:
        await response.write(b"x" * 2**16)


async def trickling(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


async def no_gzip(request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(body=b"no gzip at all", headers={"Content-Encoding": "gzip"})


async def deep(request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(text='{"choices": ' + "[" * 100_000 + "]" * 100_000 + "}", content_type="application/json")


async def deep_error(request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(text="[" * 100_000 + "]" * 100_000, status=400)


async def long_error(request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.json_response({"error": {"message": ["x" * 10**6]}}, status=400)


async def long_header(request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(headers={"X-Header": "x" * 10**6})


async def no_http(request: web.Request, handler: Handler) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"220 mail.example.org ESMTP\r\n\r\n")  # type: ignore[attr-defined]
    await asyncio.sleep(60)
    raise AssertionError


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (bomb, "is longer than"),
        (endless, "is longer than"),
        (one_line_of_events, "is longer than"),
        (trickling, "did not end within timeout_seconds"),
        (no_gzip, "cannot be unpacked"),
        (deep, "nested too deep"),
        (deep_error, "the server answered 400"),
        (long_error, "the server answered 400"),
        (long_header, "does not answer in HTTP"),
        (no_http, "does not answer in HTTP"),
    ],
)
def test_a_body_is_read_no_further_than_an_answer_may_be_long(spoil: Spoil, message: str, new_engine: Any) -> None:
    traces = answers(new_engine, fake_vllm, spoil, timeout_seconds=2)
    check_one_error(traces, answers(new_engine, fake_vllm, None), message)


@pytest.mark.parametrize("spoil", [bomb, no_gzip, deep, deep_error, long_header])
def test_a_server_that_answers_so_at_the_start_is_refused_in_one_line(spoil: Spoil, new_engine: Any) -> None:
    def app() -> web.Application:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await spoil(request, handler)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        return application

    with serving(app) as server, pytest.raises(EngineError) as caught:
        new_engine(MODEL.template, server.url, timeout_seconds=1, model="m")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("counts", [True, False], ids=["counts", "does not count"])
@pytest.mark.parametrize("wraps", [3, 20])
def test_a_server_that_wraps_a_prompt_in_the_chat_template_again_is_refused(
    wraps: int, counts: bool, new_engine: Any
) -> None:
    for prompt_ids in (True, False):
        with (
            serving(lambda ids=prompt_ids: fake_openai(MODEL, ids, wraps=wraps, counts=counts)) as server,
            pytest.raises(EngineError, match="wraps a prompt in the chat template again"),
        ):
            new_engine(MODEL.template, server.url)


def test_a_prompt_that_is_read_as_it_stands_is_known_by_its_tokens(new_engine: Any) -> None:
    for counts, known in ((True, True), (False, None)):
        with serving(lambda counts=counts: fake_openai(MODEL, False, counts=counts)) as server:
            assert new_engine(MODEL.template, server.url).capabilities.as_it_stands is known
