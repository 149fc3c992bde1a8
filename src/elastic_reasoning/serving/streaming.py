"""An answer on its way to one client, which is given up where the client goes away or does not read."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from elastic_reasoning.serving.dialects.dialect import encode

HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no"}
JSON = {"content-type": "application/json"}


class Reply(Response):
    """Sends one answer, and gives it up where its client goes away: queued, under way, whole or streamed.

    Args:
        answer: sends it, in a task of its own, which is cancelled then.
    """

    def __init__(self, answer: Callable[[Send], Awaitable[None]]) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it, as ASGI has it."""
        answering = asyncio.ensure_future(self._answer(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        if not answering.cancelled():
            answering.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_json(send: Send, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
    """A whole answer."""
    body = encode(value)
    await send(_start(status, {**JSON, "content-length": str(len(body)), **(headers or {})}))
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_events(send: Send, parts: AsyncGenerator[bytes, None]) -> None:
    """A streamed answer."""
    await send(_start(200, HEADERS))
    async for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _start(status: int, headers: Mapping[str, str]) -> dict[str, object]:
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}
