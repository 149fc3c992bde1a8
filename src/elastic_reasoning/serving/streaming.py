"""Server-sent events to one client: written as fast as it reads, and given up where it goes away or does not read."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no"}


class EventStream(Response):
    """A streamed answer.

    Args:
        parts: what is sent; closed where the client goes away.
        write_seconds: how long the client may take to make room for more.
    """

    def __init__(self, parts: AsyncGenerator[bytes, None], write_seconds: float) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._parts, self._write_seconds = parts, write_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it, as ASGI has it."""
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, leaving):
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)
            await self._parts.aclose()
        if not writing.cancelled():
            writing.result()

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with suppress(TimeoutError):  # a client that does not read is dropped
            async for part in self._parts:
                async with asyncio.timeout(self._write_seconds):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
