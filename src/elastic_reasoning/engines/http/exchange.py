"""One request over HTTP and its answer, on a connection that is still open."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any

from elastic_reasoning.core.errors import require
from elastic_reasoning.engines.http.bodies import read_body, read_events

Tell = Callable[[list[str]], Awaitable[None]]
"""Is handed the events of a stream as they come: those that come together at once."""


async def exchange(
    http: Any,
    new_http: Callable[[], Any],
    url: str,
    body: Any,
    most: int,
    timeout_seconds: float,
    tell: Tell | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str, str]:
    """Status, `Retry-After` and text of the answer to a POST, or to a GET where there is no body.

    A server may just have closed a connection that was open, and says nothing of it: then a fresh one is tried at
    once. (llama.cpp closes each behind a stream, and every one that was idle for 5 seconds.)

    Args:
        http: aiohttp's session, with the connections that are open.
        new_http: makes one without any.
        url, body: what is asked.
        most, timeout_seconds: see `read_body` and `read_events`.
        tell: if given, is told the events of an answer that is a stream, which then has no text.
        headers: of this request.

    Raises:
        RefusedError: as `read_body`; what aiohttp raises comes through.
    """
    aiohttp = require("aiohttp", "server")
    method, given = "GET" if body is None else "POST", {"json": body, "headers": headers, "allow_redirects": False}
    async with AsyncExitStack() as stack:
        try:
            response = await stack.enter_async_context(http.request(method, url, **given))
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            fresh = await stack.enter_async_context(new_http())
            response = await stack.enter_async_context(fresh.request(method, url, **given))
        wait = response.headers.get("Retry-After", "")
        if tell is None or response.status >= 300 or response.content_type != "text/event-stream":
            return response.status, wait, await read_body(response, most, timeout_seconds)
        async with aclosing(read_events(response, most, timeout_seconds)) as events:
            async for together in events:
                await tell(together)
        return response.status, wait, ""
