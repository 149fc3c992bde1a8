"""The gateway as an ASGI application."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import Send

from elastic_reasoning.core.printable import printable
from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.chat import CHAT
from elastic_reasoning.serving.dialects.completions import COMPLETIONS
from elastic_reasoning.serving.dialects.description import NOT_FOUND, components, describe
from elastic_reasoning.serving.dialects.dialect import Dialect, Head, Json, encode
from elastic_reasoning.serving.dialects.messages import COUNT, MESSAGES
from elastic_reasoning.serving.dialects.models import anthropic_model, anthropic_models, openai_model, openai_models
from elastic_reasoning.serving.dialects.responses import RESPONSES
from elastic_reasoning.serving.errors import ApiError, bad_request, told
from elastic_reasoning.serving.events import Event
from elastic_reasoning.serving.front import Front, access_of
from elastic_reasoning.serving.gateway import Gateway
from elastic_reasoning.serving.pages import add_pages
from elastic_reasoning.serving.probes import add_probes, over
from elastic_reasoning.serving.several import answer_each
from elastic_reasoning.serving.streaming import Reply, send_events, send_json
from elastic_reasoning.serving.tracing import open_tracing
from elastic_reasoning.untrusted.json import MalformedError, decode

Answer = Callable[[Gateway, Dialect, Asked, Access, Send], Awaitable[None]]
"""Answers what is asked at one endpoint."""
CLOSE = {"Connection": "close"}
"""The rest of such a body is not read."""
DIALECTS: tuple[Dialect, ...] = (CHAT, COMPLETIONS, RESPONSES, MESSAGES)


def new_app(gateway: Gateway) -> FastAPI:
    """The application of a gateway, which it closes at its end."""

    tracing = open_tracing(os.environ)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await gateway.start()
        yield
        await gateway.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = FastAPI(title="elastic-reasoning gateway", lifespan=lifespan, docs_url=None, redoc_url=None)
    admission = gateway.admission
    app.add_middleware(Front, keys=admission.keys, refusal=_refusal, over=over(admission.metrics, tracing))
    if gateway.config.allow_origins:
        app.add_middleware(CORSMiddleware, allow_origins=gateway.config.allow_origins, allow_headers=["*"])
    add_probes(app, gateway)
    for dialect in DIALECTS:
        app.post(dialect.path, **describe(dialect))(_endpoint(gateway, dialect, _answer))
    app.post(COUNT.path, **describe(COUNT))(_endpoint(gateway, COUNT, _count))

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        return _json(anthropic_models(gateway.backends) if _is_anthropic(request) else openai_models(gateway.backends))

    @app.get("/v1/models/{name:path}", responses=NOT_FOUND)
    async def model(request: Request, name: str) -> Response:
        try:
            name = gateway.backend(name).name
        except ApiError as error:
            return Reply(partial(_refuse, _dialect(request), access_of(request), error))
        return _json(anthropic_model(name) if _is_anthropic(request) else openai_model(name))

    @app.exception_handler(HTTPException)
    async def nothing_there(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        refusal = ApiError(error.status_code, printable(message), code="no_such_endpoint", headers=error.headers)
        return Reply(partial(_refuse, _dialect(request), access_of(request), refusal))

    add_pages(app, gateway)
    app.openapi()["components"] = {"schemas": components([*DIALECTS, COUNT])}
    return app


def _is_anthropic(request: Request) -> bool:
    """Whether Anthropic's client asks, at a path that OpenAI's client has too."""
    return "anthropic-version" in request.headers


def _json(value: Json) -> Response:
    return Response(encode(value), media_type="application/json")


def _dialect(request: Request) -> Dialect:
    """How those who ask at this path expect to be refused."""
    if _is_anthropic(request):
        return MESSAGES
    return next((dialect for dialect in DIALECTS if request.url.path.startswith(dialect.path)), CHAT)


def _refusal(request: Request, error: ApiError) -> Json:
    return _dialect(request).refusal(error)


def _endpoint(gateway: Gateway, dialect: Dialect, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        access = access_of(request)
        try:
            asked = dialect.read(await _body(request, gateway.config.max_body_bytes))
        except ApiError as error:
            return Reply(partial(_refuse, dialect, access, error))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return Reply(partial(answer, gateway, dialect, asked, access))

    return endpoint


async def _body(request: Request, most: int) -> dict[str, Any]:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise ApiError(413, f"the body is larger than {most:,} bytes", code="body_too_large", headers=CLOSE)
        parts.append(part)
    try:
        body = decode(b"".join(parts))
    except MalformedError as error:
        raise bad_request(f"the body: {error}") from None
    if not isinstance(body, dict):
        raise bad_request("the body: must be a JSON object")
    return body


async def _answer(gateway: Gateway, dialect: Dialect, asked: Asked, access: Access, send: Send) -> None:
    try:
        head = Head(access.id, int(time.time()), gateway.backend(asked.model).name)
        answer = partial(gateway.answer, access=access)
        with gateway.admission.gate.counted(access.key):
            async with aclosing(answer_each(answer, asked)) as events:
                first = await anext(events)  # what is refused, is refused with a status
                if asked.stream:
                    return await send_events(send, _stream(dialect, head, asked, first, events))
                whole = dialect.whole(head, asked, [first, *[event async for event in events]])
    except ApiError as error:
        return await _refuse(dialect, access, error, send)
    await send_json(send, 200, whole)


async def _count(gateway: Gateway, dialect: Dialect, asked: Asked, access: Access, send: Send) -> None:
    try:
        num_tokens = await gateway.num_prompt_tokens(asked)
    except ApiError as error:
        return await _refuse(dialect, access, error, send)
    await send_json(send, 200, {"input_tokens": num_tokens})


async def _refuse(dialect: Dialect, access: Access, error: ApiError, send: Send) -> None:
    access.error = error
    await send_json(send, error.status, dialect.refusal(error), error.headers)


async def _stream(
    dialect: Dialect, head: Head, asked: Asked, first: Event, events: AsyncGenerator[Event, None]
) -> AsyncGenerator[bytes, None]:
    writer = dialect.writer(head, asked)
    try:
        yield b"".join(writer.write(first))
        async for event in events:
            yield b"".join(writer.write(event))
    except Exception as error:
        yield b"".join(writer.fail(told(error)))
