"""The body of a server's answer, read no longer and no further than it is wanted."""

from typing import Any

from elastic_reasoning.core.errors import require
from elastic_reasoning.engines.http.replicas import RefusedError

MOST_BYTES = 2**24
"""Of an answer, where it is not known how long it may be."""
SPARE_BYTES = 2**20
BYTES_PER_TOKEN = 2**10
"""Servers take a tenth of that for a token with its text, its id and its log-probability."""


def most_bytes(num_tokens: int | None) -> int:
    """How long an answer of so many tokens may be."""
    return MOST_BYTES if num_tokens is None else SPARE_BYTES + BYTES_PER_TOKEN * num_tokens


async def read_body(response: Any, most: int, timeout_seconds: float) -> str:
    """What an answer says, unpacked and decoded; of one that says why there is none, as much as has come.

    Args:
        response: aiohttp's, with its body unread.
        most: bytes, unpacked.
        timeout_seconds: after which the session ends it; for the message.

    Raises:
        RefusedError: it is too long, does not end, or cannot be unpacked.
    """
    aiohttp = require("aiohttp", "server")
    parts: list[bytes] = []
    wrong, size = "", 0
    try:
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > most:
                wrong = f"is longer than {most:,} bytes, and was not read to its end"
                break
    except TimeoutError:
        wrong = f"did not end within timeout_seconds {timeout_seconds:g}"
    except aiohttp.ClientPayloadError as error:
        if not isinstance(error.__cause__, aiohttp.http_exceptions.ContentEncodingError):
            raise  # the connection was lost
        wrong = "cannot be unpacked"
    if wrong and response.status < 300:
        raise RefusedError(f"the server's answer {wrong}")
    return str(b"".join(parts), "utf-8", "replace")
