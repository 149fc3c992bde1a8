"""Clients that cost next to nothing, for `gateway_load.py` and its siblings: bytes are stamped as they come, and read
when nothing is measured any more.

    answers = await asyncio.gather(*(ask(url, body) for body in bodies))
    answers[0].words        # [(seconds on the monotonic clock, "a"), ...]
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LAST = (b"0\r\n\r\n", b"\r\n0\r\n\r\n")


@dataclass
class Answer:
    """What came back, and when, on the monotonic clock.

    Attributes:
        asked: when the request was written.
        parts: (when it came, bytes).
        over: when the last byte came.
        failure: why there is no whole answer; empty where there is.
    """

    asked: float = 0.0
    parts: list[tuple[float, bytes]] = field(default_factory=list)
    over: float = 0.0
    failure: str = ""

    @property
    def status(self) -> int:
        return int(self.parts[0][1].split(b" ", 2)[1]) if self.parts else 0

    @property
    def first(self) -> float:
        """When the first bytes came."""
        return self.parts[0][0]

    @property
    def body(self) -> Any:
        """Of an answer that is no stream."""
        return json.loads(b"".join(part for _, part in self.parts).partition(b"\r\n\r\n")[2])

    @property
    def events(self) -> Iterator[tuple[float, Any]]:
        """The events of a stream, and when each was whole."""
        text = b""
        for when, part in self.parts:
            text += part
            *whole, text = text.split(b"\n\n")
            for each in whole:
                event = each.rpartition(b"data: ")[2]
                if event[:1] == b"{":
                    yield when, json.loads(event)

    @property
    def words(self) -> Iterator[tuple[float, str]]:
        """The words of thinking and solution, and when each came."""
        for when, event in self.events:
            for choice in event.get("choices", ()):
                delta = choice["delta"]
                for word in f"{delta.get('reasoning_content') or ''}{delta.get('content') or ''}".split():
                    yield when, word


class Client(asyncio.Protocol):
    """One connection, which is kept for the next request."""

    def connection_made(self, transport: Any) -> None:
        self._transport, self._over = transport, asyncio.Event()
        self.answer = Answer()
        self._length = 0

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        parts = self.answer.parts
        parts.append((now, data))
        if len(parts) == 1:
            self._length = _length(data)
        if self._length < 0:
            is_over = data.endswith(LAST[0]) and (len(data) == len(LAST[0]) or data.endswith(LAST[1]))
        else:
            self._length -= len(data)
            is_over = self._length == 0
        if is_over:
            self.answer.over = now
            self._over.set()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._over.is_set():
            self.answer.failure = f"the connection was lost: {error}"
            self._over.set()

    async def ask(self, request: bytes) -> Answer:
        self.answer, self._over = Answer(time.monotonic()), asyncio.Event()
        self._transport.write(request)
        await self._over.wait()
        if not self.answer.failure and self.answer.status != 200:
            self.answer.failure = str(self.answer.parts[0][1][:300])
        return self.answer

    def close(self) -> None:
        self._transport.close()


def _length(data: bytes) -> int:
    """Bytes of a whole answer; -1 for one that comes in chunks. Its head comes at once."""
    head, _, _ = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line[15:])
    return -1


async def connect(url: str) -> Client:
    parts = urlsplit(url)
    _, client = await asyncio.get_running_loop().create_connection(Client, parts.hostname, parts.port)
    return client


def request_of(url: str, body: dict[str, Any]) -> bytes:
    """A request as it is written."""
    parts, data = urlsplit(url), json.dumps(body).encode()
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Authorization: Bearer sk-1\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


async def ask(url: str, body: dict[str, Any]) -> Answer:
    """One request on a connection of its own."""
    client = await connect(url)
    try:
        return await client.ask(request_of(url, body))
    finally:
        client.close()
