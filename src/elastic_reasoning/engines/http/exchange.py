"""One request over HTTP and its answer, on a connection that is still open."""

from collections.abc import Callable
from typing import Any

from elastic_reasoning.core.errors import require
from elastic_reasoning.engines.http.bodies import read_body


async def exchange(
    session: Any, new_session: Callable[[], Any], url: str, body: Any, most: int, timeout_seconds: float
) -> tuple[int, str, str]:
    """Status, `Retry-After` and text of the answer to a POST, or to a GET where there is no body.

    A server may just have closed a connection that was open, and says nothing of it: then a fresh one is tried at
    once. (llama.cpp closes each behind a stream, and every one that was idle for 5 seconds.)

    Args:
        session: aiohttp's, with the connections that are open.
        new_session: makes one without any.
        url, body: what is asked.
        most, timeout_seconds: see `read_body`.

    Raises:
        RefusedError: as `read_body`; what aiohttp raises comes through.
    """
    aiohttp = require("aiohttp", "server")
    try:
        return await _once(session, url, body, most, timeout_seconds)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        async with new_session() as fresh:
            return await _once(fresh, url, body, most, timeout_seconds)


async def _once(session: Any, url: str, body: Any, most: int, timeout_seconds: float) -> tuple[int, str, str]:
    method = "GET" if body is None else "POST"
    async with session.request(method, url, json=body, allow_redirects=False) as response:
        text = await read_body(response, most, timeout_seconds)
        return response.status, response.headers.get("Retry-After", ""), text
