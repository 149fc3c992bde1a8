"""One client's connection: what uvicorn leaves open, where a client sends slowly, without an end, or does not read.

uvicorn bounds neither the time nor the bytes of a request's head, and waits for a client to read what was written
before it closes. Here a request must be whole in time, its head small, and a connection that is given up is cut.
"""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from elastic_reasoning.serving.config import GatewayConfig

EXTENSION = "elastic.connection"
REFUSAL = b"%bcontent-length: 0\r\nconnection: close\r\n\r\n"


def for_connections(app: ASGIApp) -> ASGIApp:
    """An application that writes nothing to a connection that is closed: uvloop makes an error of that."""

    async def until_closed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        transport = scope["extensions"][EXTENSION]["transport"]

        async def send_on(message: Message) -> None:
            if not transport.is_closing():
                await send(message)

        await app(scope, receive, send_on)
        while transport.is_closing() and (await receive())["type"] != "http.disconnect":
            pass  # until uvicorn knows: it would miss the end of the answer

    return until_closed


class Connection(HttpToolsProtocol):
    """Speaks HTTP with one client, within bounds.

    Args:
        bounds: of bytes and seconds.
        max_connections: that may be open.
        values: what uvicorn gives it.
    """

    def __init__(self, bounds: GatewayConfig, max_connections: int, **values: Any) -> None:
        super().__init__(**values)
        self._bounds, self._max_connections = bounds, max_connections
        self._waiting: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._answered: RequestResponseCycle | None = None
        self._in_body = False
        self._num_head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come; where there are too many, it is sent away."""
        super().connection_made(transport)
        if len(self.connections) > self._max_connections:
            transport.abort()
        else:
            self._wait(self._bounds.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone, or was cut; uvicorn tells only the last of the requests under way."""
        self._wait(None)
        self._unset_keepalive_if_required()
        for timer in (self._unread, self._closing):
            if timer is not None:
                timer.cancel()
        if self._answered is not None:
            self._answered.disconnected = True
            self._answered.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """The client sends no more, and so it has gone: what it has not read by then is dropped."""
        self._cut_later()

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        if not self._in_body:
            self._num_head_bytes += len(data)
            if self._waiting is None:
                self._wait(self._bounds.head_seconds)
        super().data_received(data)
        if not self._in_body and self._num_head_bytes > self._bounds.max_head_bytes:
            self._refuse(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those behind a body are dropped."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}
        self._in_body = True
        self._wait(self._bounds.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body, self._num_head_bytes = False, 0
        self._wait(None)
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """The answer is written, if not yet read."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._cut_later()

    def timeout_keep_alive_handler(self) -> None:
        """No further request has come."""
        super().timeout_keep_alive_handler()
        self._cut_later()

    def send_400_response(self, msg: str) -> None:
        """What came is no request."""
        super().send_400_response(msg)
        self._cut_later()

    def _refuse(self, status: int) -> None:
        """Say why, where nothing else is being said, and close."""
        cycle = self.cycle
        if self.pipeline or (cycle is not None and cycle.response_started and not cycle.response_complete):
            self.transport.abort()
            return
        self.transport.write(REFUSAL % STATUS_LINE[status])
        self.transport.close()
        self._cut_later()

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._bounds.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def _cut_later(self) -> None:
        """Do not wait longer for a client to read than it may take."""
        if self._closing is None:
            self._closing = self.loop.call_later(self._bounds.write_seconds, self.transport.abort)

    def _wait(self, seconds: float | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None if seconds is None else self.loop.call_later(seconds, self._is_late)

    def _is_late(self) -> None:
        self._waiting = None
        if self.flow.read_paused:  # it is we who do not read, as long as the request before is being answered
            self._wait(self._bounds.body_seconds)
        else:
            self._refuse(408)
