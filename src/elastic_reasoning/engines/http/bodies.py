"""The body of a server's answer, read no longer and no further than it is wanted."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from elastic_reasoning.core.errors import require
from elastic_reasoning.engines.http.replicas import RefusedError

MOST_BYTES = 2**24
"""Of an answer, where it is not known how long it may be."""
SPARE_BYTES = 2**20
BYTES_PER_TOKEN = 2**10
"""Servers take a tenth of that for a token with its text, its id and its log-probability."""
EVENT, LAST_EVENT = b"data:", "[DONE]"
"""How a line of a stream begins that holds an event, and what the last one may say."""


def most_bytes(num_tokens: int | None) -> int:
    """How long an answer of so many tokens may be, or one event of a stream, which may hold all tokens before it."""
    return MOST_BYTES if num_tokens is None else SPARE_BYTES + BYTES_PER_TOKEN * num_tokens


async def read_body(response: Any, most: int, timeout_seconds: float) -> str:
    """What an answer says, unpacked and decoded; of one that says why there is none, as much as has come.

    Args:
        response: aiohttp's, with its body unread.
        most: bytes, unpacked.
        timeout_seconds: after which aiohttp ends it; for the message.

    Raises:
        RefusedError: it is too long, does not end, or cannot be unpacked.
    """
    parts: list[bytes] = []
    room = most
    try:
        async with aclosing(_parts(response, timeout_seconds)) as arriving:
            async for part in arriving:
                parts.append(part)
                room -= len(part)
                _check_room(room, most)
    except RefusedError:
        if response.status < 300:
            raise
    return str(b"".join(parts), "utf-8", "replace")


async def read_events(response: Any, most: int, timeout_seconds: float) -> AsyncGenerator[list[str], None]:
    """The events of a stream (server-sent events, each on one line), those that come together in one list.

    Arguments and errors are as above.

    Args:
        response, timeout_seconds: see there.
        most: bytes of one event.
    """
    line: list[bytes] = []
    room = most
    async with aclosing(_parts(response, timeout_seconds)) as arriving:
        async for part in arriving:
            *ends, rest = part.split(b"\n")
            events = []
            for end in ends:
                whole = b"".join([*line, end])
                line, room = [], most
                event = str(whole.removeprefix(EVENT), "utf-8", "replace").strip()
                if whole.startswith(EVENT) and event != LAST_EVENT:
                    events.append(event)
            if events:
                yield events
            line.append(rest)
            room -= len(rest)
            _check_room(room, most)


def _check_room(room: int, most: int) -> None:
    if room < 0:
        raise RefusedError(f"the server's answer is longer than {most:,} bytes, and was not read to its end")


async def _parts(response: Any, timeout_seconds: float) -> AsyncGenerator[bytes, None]:
    aiohttp = require("aiohttp", "server")
    try:
        async for part in response.content.iter_any():
            yield part
    except TimeoutError:
        raise RefusedError(f"the server's answer did not end within timeout_seconds {timeout_seconds:g}") from None
    except aiohttp.ClientPayloadError as error:
        if not isinstance(error.__cause__, aiohttp.http_exceptions.ContentEncodingError):
            raise  # the connection was lost
        raise RefusedError("the server's answer cannot be unpacked") from None
