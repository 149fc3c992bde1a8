"""One request to one replica, and what its failure means.

A request that the server finds fault with is a `RefusedError`; where another try may succeed, that is an
`UnavailableError` (see `elastic_reasoning.engines.http.session`).
"""

import errno
import os
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from elastic_reasoning.core.errors import EngineError, UsageError, require
from elastic_reasoning.engines.http.bodies import MOST_BYTES
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.exchange import Tell, exchange
from elastic_reasoning.engines.http.replicas import RefusedError, Replica, UnavailableError, retry_after
from elastic_reasoning.untrusted.json import MalformedError, decode

CONNECT_SECONDS = 10.0
MOST_READ, MOST_SHOWN = 4096, 300
"""Letters of what a server says of an error."""
UNAVAILABLE = (408, 425, 429)
"""What a server answers, beside 5xx, when the same request may be right a little later."""
UNKNOWN_FAILURE = 500
SESSION_HEADER = "X-Session-ID"
"""What vllm-router's `consistent_hash` looks at first, and other routers can be told to."""


class _Code(Struct):
    code: int = UNKNOWN_FAILURE


class _Failure(Struct):
    """An event that says that a stream has failed."""

    error: _Code


class Client:
    """Asks replicas.

    Args:
        config: whose key is sent, and how long one waits for an answer.

    Raises:
        UsageError: the key cannot be sent.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self._aiohttp: Any = require("aiohttp", "server")
        self._key = os.environ.get(config.api_key_env, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UsageError(f"the key in {config.api_key_env} holds letters that no HTTP header may: set it anew")

    def new_http(self) -> Any:
        """aiohttp's session, without any connection yet."""
        aiohttp, config = self._aiohttp, self.config
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=config.timeout_seconds, sock_connect=CONNECT_SECONDS),
        )

    async def once(
        self,
        replica: Replica,
        path: str,
        body: Any,
        most: int = MOST_BYTES,
        tell: Tell | None = None,
        session_id: str = "",
    ) -> str:
        """One try: the text of the answer to a POST, or to a GET where there is no body. `tell`: see `exchange`.

        Args:
            replica, path, body: who is asked for what.
            most, tell: see `exchange`.
            session_id: the same for what should reach the same server through a router; none if empty.

        Raises:
            UnavailableError: another try may succeed.
            RefusedError: the server finds fault with the request, or its answer is too long, has no end, or is no HTTP.
            EngineError: the key is not accepted.
        """
        url, seconds = replica.address(path), self.config.timeout_seconds
        headers = {SESSION_HEADER: session_id} if session_id else None
        try:
            asked = exchange(replica.http, self.new_http, url, body, most, seconds, tell, headers)
            status, wait, text = await replica.finish(asked)
        except self._aiohttp.ClientResponseError as error:
            raise RefusedError(f"the server does not answer in HTTP: {self._line(str(error.message))}") from None
        except (self._aiohttp.ClientError, TimeoutError, OSError) as error:
            late = f"no answer within timeout_seconds {seconds:g}"
            reason = self._line(str(error)) or (late if isinstance(error, TimeoutError) else type(error).__name__)
            is_gone = isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
            is_late = isinstance(error, TimeoutError) and not isinstance(error, self._aiohttp.ServerTimeoutError)
            # What is caught may hold the headers.
            raise UnavailableError(reason, is_gone=is_gone, is_late=is_late) from None
        self._check_status(status, wait, text, url)
        return text

    def _check_status(self, status: int, wait: str, text: str, url: str) -> None:
        if status in (401, 403):
            state = "set, and not accepted" if self._key else "not set"
            raise EngineError(f"{url} answered {status}: the key in {self.config.api_key_env} is {state}")
        if status in UNAVAILABLE or (status >= 500 and status != 501):
            retry_after_seconds = retry_after(wait, datetime.now(UTC), self.config.retry_seconds)
            raise UnavailableError(f"{status} {self._said(text)}", retry_after_seconds)
        if status >= 300:
            raise RefusedError(f"the server answered {status}: {self._said(text)}", status)

    def check_event(self, event: str, url: str) -> None:
        """A stream that has begun may end with an error, which is then an event.

        Raises:
            UnavailableError, RefusedError, EngineError: as `once`.
        """
        if not event.lstrip("{ \n").startswith('"error"'):
            return
        try:
            status = decode(event, _Failure).error.code
        except MalformedError:
            status = UNKNOWN_FAILURE
        self._check_status(status if status >= 300 else UNKNOWN_FAILURE, "", event, url)

    def _said(self, text: str) -> str:
        """What a server says of an error, on one line."""
        try:
            said = decode(text)
        except MalformedError:
            return self._line(text)
        for name in ("error", "message", "detail"):
            said = said.get(name, said) if isinstance(said, dict) else said
        return self._line(said if isinstance(said, str) else text)

    def _line(self, text: str) -> str:
        text = text.replace(self._key, "[key]") if self._key else text
        return " ".join(text[:MOST_READ].split())[:MOST_SHOWN]
