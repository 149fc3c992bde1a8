"""Servers on loopback that answer as vLLM, SGLang, llama.cpp and plain `/v1/completions` do, with a scripted model.

    with serving(fake_vllm(model)) as url: ...

The shapes of questions and answers are those that each server documents; what a server does not know is refused.
"""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiohttp import web

from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import from_wire
from elastic_reasoning.engines.concurrent import LoopThread
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from rows import emit_timed

NUM_PROMPT = 4
"""Ids of every prompt: a server does not see where a completion begins, and log-probabilities depend on it."""

OPENAI_SETTINGS = {"model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop", "logprobs", "logit_bias"}
VLLM_SETTINGS = OPENAI_SETTINGS | {
    "top_k",
    "min_p",
    "repetition_penalty",
    "return_token_ids",
    "skip_special_tokens",
    "stream",
}
VLLM_SETTINGS |= {"stop_token_ids", "vllm_xargs", "thinking_token_budget"}


@dataclass(frozen=True)
class FakeModel:
    """A keyed random source of ids that likes delimiters.

    Attributes:
        template: how it marks thinking.
        context: tokens of prompt and completion.
        ends_in_thinking: whether it may end the sequence before it has closed thinking.
        logprobs: which log-probabilities its server reports.
        name: what its server calls it.
        told: the context that its server tells, where that is another one; 0 for none.
        closes: after so many ids time is up for requests with a deadline.
    """

    template: Template
    context: int = 64
    ends_in_thinking: bool = True
    logprobs: str = "raw"
    name: str = "fake"
    told: int | None = None
    closes: tuple[int, ...] = ()

    def tells(self) -> int:
        return self.context if self.told is None else self.told

    def prefers(self, ids: Sequence[int]) -> list[int]:
        """Every id, the most wanted first, behind a prompt and what was written since."""
        number = int.from_bytes(hashlib.blake2b(repr(list(ids)).encode(), digest_size=4).digest(), "big")
        template, kind, left = self.template, number % 8, number // 8
        first = [left % template.num_tokens]
        if kind == 0:
            first = [template.closing.ids[left % len(template.closing.ids)]]
        elif kind == 1:
            first = [min(template.eos)]
        begun, rest = template.closing.begun(ids)
        if begun and left % 2:
            first = [rest[0]]
        order = [*first, *range(template.num_tokens)]
        written = ids[NUM_PROMPT:]
        closed = any(template.closing.ends(written[: n + 1]) for n in range(len(written)))
        return order if closed or self.ends_in_thinking else [token for token in order if token not in template.eos]

    def script(self, request: Request, ids: Sequence[int]) -> list[int]:
        """The same as a script of `ScriptedEngine`."""
        return self.prefers([*request.prompt.ids, *ids])

    def write(
        self,
        ids: Sequence[int],
        limit: int | None,
        stop_ids: Collection[int] = (),
        banned: Collection[int] = (),
        stop_text: str | None = None,
    ) -> tuple[list[int], str]:
        """New ids, and why they end: length, eos, stop (an id), or word (the text)."""
        new: list[int] = []
        while True:
            if len(new) == limit or len(ids) + len(new) >= self.context:
                return new, "length"
            new.append(next(token for token in self.prefers([*ids, *new]) if token not in banned))
            if new[-1] in self.template.eos:
                return new, "eos"
            if new[-1] in stop_ids:
                return new, "stop"
            if stop_text and stop_text in self.template.decode(new):
                return new, "word"

    def logprobs_of(self, ids: Sequence[int], new: Sequence[int], temperature: float, top_p: float) -> list[float]:
        start = len(ids) - NUM_PROMPT
        raw = [scripted_logprob(start + n, token) for n, token in enumerate(new)]
        if self.logprobs == "raw" or temperature in (0, 1):
            return raw
        return [0.0 if self.logprobs == "processed" and top_p < 0.01 else value / 2 for value in raw]

    def in_time(self, request: Request, context: int | None) -> list[int]:
        """What our plug-in makes the model write where time is up after `closes`."""

        def script(asked: Request, ids: Sequence[int]) -> Iterator[int]:
            return iter(self.script(asked, ids))

        ids, _ = emit_timed(request, self.template, context, script, self.closes)
        return ids

    def in_one_pass(self, prompt: Sequence[int], values: dict[str, Any], context: int) -> list[int]:
        """What our plug-in makes the model write; it must end it with an end of sequence."""
        wire = from_wire(values)
        assert wire is not None
        assert wire.thinking is not None
        request = Request(
            Prompt(tuple(prompt), wire.thinking),
            wire.budget,
            wire.strategy,
            wire.options,
            deadline_seconds=wire.deadline_seconds,
        )
        assert not needs_of(request, self.template).takes_back
        if request.deadline_seconds is not None:
            return emit_timed(
                request, self.template, context, lambda asked, ids: iter(self.script(asked, ids)), self.closes
            )[0]
        trace = next(run(ScriptedEngine(self.script, self.template), [Walk(request, self.template, context)]))
        assert trace.error is None, trace.error
        ids = list(trace.ids)
        return ids if ids[-1:] and ids[-1] in self.template.eos else [*ids, min(self.template.eos)]


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pace:
    """When a server writes the events of its streams, and where one breaks off.

    Attributes:
        num_streams, num_dropped: streams that were begun, and those that the client let go of.
        cut: (number of the stream) to the number of events after which it breaks off; `None` for a whole one.
        halt: (number of the stream) to the number of events after which it comes to a halt; `None` for one that
            does not.
        halted, dropped: set when a stream has come to a halt, and when a client has let go of one.
        release: set to let streams that have come to a halt go on.
    """

    def __init__(self) -> None:
        self.num_streams = self.num_dropped = 0
        self.cut: Callable[[int], int | None] = lambda number: None
        self.halt: Callable[[int], int | None] = lambda number: None
        self.halted, self.dropped, self.release = threading.Event(), threading.Event(), threading.Event()

    async def stream(self, request: web.Request, events: Sequence[Any]) -> web.StreamResponse:
        number, self.num_streams = self.num_streams, self.num_streams + 1
        cut = self.cut(number)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        try:
            await response.prepare(request)
            for place, event in enumerate(events):
                if place == cut:
                    assert request.transport is not None
                    request.transport.abort()  # type: ignore[attr-defined]
                    return response
                if place == self.halt(number):
                    self.halted.set()
                    while not self.release.is_set():  # in another loop than whoever sets it
                        await asyncio.sleep(0.005)
                line = f"data: {json.dumps(event)}\n\n".encode()
                half = len(line) // 2
                await response.write(line[:half])
                await response.write(line[half:])
            await response.write(b": a comment\n\ndata: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionError):
            self.num_dropped += 1
            self.dropped.set()
            raise
        return response


def refuse(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "BadRequestError", "code": status}}, status=status)


def answering(answer: Any) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(answer)

    return handler


def models(model: FakeModel, **more: Any) -> Handler:
    return answering({"object": "list", "data": [{"id": model.name, "object": "model", **more}]})


def biased(bias: dict[str, float] | None) -> set[int]:
    return {int(token) for token, value in (bias or {}).items() if value <= -100}


def fake_vllm(
    model: FakeModel, plug_in: bool = False, native: bool = False, heeds: bool = True, pace: Pace | None = None
) -> web.Application:
    """vLLM 0.32; with `plug_in` and not `heeds`, one that refuses bad budgets and then keeps none."""

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        ids, limit = body["prompt"], 16 if body["max_tokens"] is None else body["max_tokens"]
        unknown = set(body) - VLLM_SETTINGS
        if unknown or body["model"] != model.name:
            return refuse(f"unknown {unknown} or model {body['model']}")
        if len(ids) + limit > model.context:
            return refuse(f"{len(ids)} + {limit} tokens do not fit {model.context}")
        if "thinking_token_budget" in body and not native:
            return refuse("thinking_token_budget is set but reasoning_config is not configured")
        assert body["repetition_penalty"] == 1
        assert 0 <= body["seed"] < 2**63
        if plug_in and body.get("vllm_xargs"):
            try:
                from_wire(body["vllm_xargs"])
            except ElasticError as error:
                return refuse(str(error))
        if plug_in and body.get("vllm_xargs") and heeds:
            new, why = model.in_one_pass(ids, body["vllm_xargs"], model.context)[:limit], "eos"
        else:
            banned = biased(body.get("logit_bias"))
            new, why = model.write(ids, limit, body.get("stop_token_ids", ()), banned)
        logprobs = None
        if body.get("logprobs") is not None:
            values = model.logprobs_of(ids, new, body["temperature"], body["top_p"])
            logprobs = {"token_logprobs": values, "tokens": [model.template.decode([token]) for token in new]}
        choice = {
            "index": 0,
            "text": model.template.decode(new),
            "logprobs": logprobs,
            "finish_reason": "length" if why == "length" else "stop",
            "stop_reason": new[-1] if why == "stop" else None,
            "token_ids": new if body.get("return_token_ids") else None,
        }
        if body.get("stream"):
            events = [{"choices": [chunk]} for chunk in chunks(choice)]
            return await (pace or Pace()).stream(request, events)
        return web.json_response({"object": "text_completion", "model": model.name, "choices": [choice]})

    app = web.Application()
    app.router.add_get("/version", answering({"version": "0.32.0"}))
    app.router.add_get("/v1/models", models(model, max_model_len=model.tells(), root=model.name))
    app.router.add_post("/v1/completions", complete)
    return app


def chunks(choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A choice of vLLM as the events of a stream hold it: one or two tokens in each."""
    ids, logprobs = choice["token_ids"], choice["logprobs"]
    start = 0
    while start < len(ids) or not start:
        stop = start + 1 + sum(ids[: start + 1]) % 2
        chunk = {"index": 0, "text": "", "token_ids": ids[start:stop], "logprobs": None, "finish_reason": None}
        if logprobs:
            chunk["logprobs"] = {"token_logprobs": logprobs["token_logprobs"][start:stop]}
        yield {**chunk, "finish_reason": choice["finish_reason"] if stop >= len(ids) else None}
        start = stop


def fake_sglang(
    model: FakeModel,
    plug_in: bool = False,
    allows: bool = True,
    trims: bool = False,
    new_alone: bool = False,
    pace: Pace | None = None,
) -> web.Application:
    """SGLang's native interface; with `trims` one that leaves out what it stopped at.

    With `plug_in` and not `allows`, one that was started without logit processors. Each event of its streams holds all
    ids so far, or the new ones alone.
    """

    async def generate(request: web.Request) -> web.Response:
        body = await request.json()
        ids, params = body["input_ids"], body["sampling_params"]
        assert set(body) == {"input_ids", "sampling_params", "return_logprob", "stream"}
        limit = min(params["max_new_tokens"] or 2**30, model.context - len(ids) - 2)
        values = (params.get("custom_params") or {}).get("elastic") if plug_in else None
        if values is None:
            new, why = model.write(ids, limit, params["stop_token_ids"], biased(params.get("logit_bias")))
        elif not allows:
            return refuse("start SGLang with --enable-custom-logit-processor")
        else:
            try:
                from_wire(values)
            except ElasticError as error:
                return refuse(str(error))
            new, why = model.in_one_pass(ids, values, model.context - 2)[:limit], "eos"
        reason = {"type": "length", "length": limit} if why == "length" else {"type": "stop", "matched": new[-1]}
        meta: dict[str, Any] = {"id": "1", "finish_reason": reason, "prompt_tokens": len(ids)}
        if body["return_logprob"]:
            values = model.logprobs_of(ids, new, params["temperature"], params["top_p"])
            meta["output_token_logprobs"] = [[value, token, None] for value, token in zip(values, new, strict=True)]
        shown = new[:-1] if trims and why != "length" else new
        if body["stream"]:
            events = []
            for num in range(1, len(new) + 1):
                so_far = {**meta, "completion_tokens": num, "finish_reason": reason if num == len(new) else None}
                start = num - 1 if new_alone else 0
                if "output_token_logprobs" in meta:
                    so_far["output_token_logprobs"] = meta["output_token_logprobs"][:num]
                events.append({"text": "", "output_ids": shown[start:num], "meta_info": so_far})
            return await (pace or Pace()).stream(request, events)
        return web.json_response({"text": model.template.decode(shown), "output_ids": shown, "meta_info": meta})

    app = web.Application()
    app.router.add_get("/get_server_info", answering({"speculative_algorithm": "EAGLE", "version": "0.5.3"}))
    app.router.add_get("/v1/models", models(model, max_model_len=model.context))
    app.router.add_post("/generate", generate)
    return app


def fake_llama_cpp(model: FakeModel, lost: Collection[int] = (), pace: Pace | None = None) -> web.Application:
    """llama.cpp's own interface, which stops at text and at the end of the sequence.

    A stream leaves out the ids in `lost`, as it does where a letter takes several.
    """

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        limit = None if body["n_predict"] < 0 else body["n_predict"]
        assert body["preserved_tokens"] == body["stop"] if "stop" in body else "preserved_tokens" not in body
        assert body["samplers"] == ["temperature", "top_k", "top_p"]
        assert 0 <= body["seed"] < 2**32 - 1
        banned = {token for token, bias in body.get("logit_bias", []) if bias is False}
        stop = body.get("stop", [None])[0]
        new, why = model.write(body["prompt"], limit, (), banned, stop)
        streams = body.get("stream", False)
        answer = {
            "content": model.template.decode(new).split(stop or "\0")[0],
            "tokens": new if body.get("return_tokens") and not streams else [],
            "stop": True,
            "stop_type": {"length": "limit"}.get(why, why),
            "stopping_word": stop if why == "word" else "",
            "tokens_predicted": len(new),
        }
        if not streams:
            return web.json_response(answer)
        values = model.logprobs_of(body["prompt"], new, body["temperature"], body["top_p"])
        events: list[dict[str, Any]] = [
            {
                "tokens": [token],
                "stop": False,
                "tokens_predicted": number,
                **({"completion_probabilities": [{"id": token, "logprob": value}]} if "n_probs" in body else {}),
            }
            for number, (token, value) in enumerate(zip(new, values, strict=True), 1)
            if token not in lost
        ]
        if pace is not None:
            return await pace.stream(request, [*events, answer])
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in [*events, answer])
        return web.Response(text=text, content_type="text/event-stream")

    app = web.Application()
    settings = {"n_ctx": model.tells(), "speculative": False, "params": {}}
    app.router.add_get("/props", answering({"default_generation_settings": settings, "build_info": "b8681"}))
    app.router.add_get("/v1/models", models(model))
    app.router.add_post("/completion", complete)
    return app


def fake_openai(
    model: FakeModel,
    prompt_ids: bool = True,
    tells: bool = False,
    hides: bool = False,
    wraps: int = 0,
    counts: bool = True,
) -> web.Application:
    """A server that knows the protocol's own settings alone.

    With `tells` it says which text it stopped at, with `hides` it leaves the closing delimiter out of its texts. It
    `wraps` a prompt in so many tokens of a chat template, behind which thinking is opened, and `counts` the prompt.
    """

    hidden = (model.template.closing.text, "") if hides else ("", "")

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        unknown = set(body) - OPENAI_SETTINGS
        if unknown or (not isinstance(body["prompt"], str) and not prompt_ids):
            return refuse(f"unrecognized arguments: {unknown or 'prompt as ids'}")
        prompt = body["prompt"]
        ids = model.template.encode(prompt) if isinstance(prompt, str) else prompt
        stop = body.get("stop", [None])[0]
        new, why = model.write(ids, body["max_tokens"], (), (), stop)
        for token in body.get("logit_bias", {}):
            new, why = [int(token)], "length"
        text = model.template.decode(new[:-1] if why == "eos" else new)
        if wraps:
            text = model.template.opening.text + text
        choice = {
            "index": 0,
            "text": text.removesuffix(stop) if why == "word" else text.replace(*hidden),
            "finish_reason": "length" if why == "length" else "stop",
            **({"stop_reason": stop if why == "word" else None} if tells else {}),
        }
        usage = {"prompt_tokens": len(ids) + wraps, "completion_tokens": len(new)} if counts else None
        return web.json_response({"model": model.name, "choices": [choice], "usage": usage})

    app = web.Application()
    app.router.add_get("/v1/models", models(model))
    app.router.add_post("/v1/completions", complete)
    return app


def fake_chat(model: FakeModel) -> web.Application:
    """A server that serves chat alone."""

    async def chat(request: web.Request) -> web.Response:
        return refuse("messages: field required", 422)

    app = web.Application()
    app.router.add_get("/v1/models", models(model))
    app.router.add_post("/v1/chat/completions", chat)
    return app


class Running:
    """An application that is served on a port of its own, until it is stopped, and again when it is started again."""

    def __init__(self, app: Callable[[], web.Application]) -> None:
        self._app = app
        self._port = 0
        self._thread = LoopThread("fake")
        self._runner: web.AppRunner | None = None
        self._before: list[web.AppRunner] = []
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        async def start() -> None:
            self._runner = web.AppRunner(self._app(), shutdown_timeout=0, access_log=None, handler_cancellation=True)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
            await site.start()
            self._port = self._runner.addresses[0][1]

        asyncio.run_coroutine_threadsafe(start(), self._thread.loop).result()

    def replace(self) -> None:
        """Start another process on the port, while the first one keeps what connections it has."""
        before, self._runner = self._runner, None
        assert before is not None
        self._before.append(before)
        asyncio.run_coroutine_threadsafe(_listen_no_more(before), self._thread.loop).result()
        time.sleep(0.3)  # nothing listens meanwhile
        self.start()

    def stop(self) -> None:
        """Cut every connection, as the end of a process does."""
        runners = [*self._before, *([self._runner] if self._runner else [])]
        self._before, self._runner = [], None

        async def stop(runner: web.AppRunner) -> None:
            await _listen_no_more(runner)
            assert runner.server is not None
            for connection in runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()  # what is not sent yet would keep it open
            await runner.cleanup()
            await asyncio.sleep(0)  # a socket is closed by the loop

        for runner in runners:
            asyncio.run_coroutine_threadsafe(stop(runner), self._thread.loop).result()

    def close(self) -> None:
        self.stop()
        self._thread.close()


async def _listen_no_more(runner: web.AppRunner) -> None:
    """Stop listening.

    asyncio never closes a connection that it had accepted, and not yet handed over, when its server is closed: it is
    accepted in one turn of the loop and handed over in the next.
    """
    loop = asyncio.get_running_loop()
    for site in list(runner.sites):
        for listening in site._server.sockets:  # type: ignore[attr-defined]
            loop.remove_reader(listening.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
    for site in list(runner.sites):
        await site.stop()


@contextmanager
def serving(app: Callable[[], web.Application]) -> Iterator[Running]:
    running = Running(app)
    try:
        yield running
    finally:
        running.close()


CHAT = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def tokenizer_of(template: Template) -> Any:
    """As much of a tokenizer as the engine asks for."""
    return SimpleNamespace(
        special_tokens_map={},
        chat_template=CHAT,
        get_chat_template=lambda: CHAT,
        encode=lambda text, add_special_tokens=True: list(template.encode(text)),
    )
