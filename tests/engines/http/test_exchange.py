"""A connection that a server closed without a word is no failure of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

import aiohttp
import pytest

from elastic_reasoning.engines.http.exchange import exchange

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def closing_server(num_answers: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that takes so many requests of each connection, and closes it at the next one."""
    answered: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(answered)
        answered.append(0)
        with closing(writer), suppress(asyncio.IncompleteReadError):  # the client may leave first
            while answered[number] < num_answers:
                await reader.readuntil(b"\r\n\r\n")
                answered[number] += 1
                writer.write(ANSWER)
            await reader.readuntil(b"\r\n\r\n")

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1/models", answered


def test_a_closed_connection_is_replaced_at_once() -> None:
    async def main() -> list[int]:
        async with closing_server(2) as (url, answered), aiohttp.ClientSession() as session:
            for _ in range(3):
                assert (await exchange(session, aiohttp.ClientSession, url, None, 100, 5))[0] == 200
            return answered

    assert asyncio.run(main()) == [2, 1]


def test_of_several_closed_connections_none_is_tried_twice() -> None:
    async def main() -> list[int]:
        async with closing_server(1) as (url, answered), aiohttp.ClientSession() as session:
            for _ in range(2):
                await asyncio.gather(*(exchange(session, aiohttp.ClientSession, url, None, 100, 5) for _ in range(4)))
            return answered

    assert asyncio.run(main()) == [1] * 8


def test_a_server_that_closes_fresh_connections_too_is_not_there() -> None:
    async def main() -> None:
        async with closing_server(0) as (url, _), aiohttp.ClientSession() as session:
            await exchange(session, aiohttp.ClientSession, url, None, 100, 5)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        asyncio.run(main())
