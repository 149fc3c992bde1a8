"""Connections to one or several replicas of a server, and what a failure means.

    with connected(ServerConfig(("http://127.0.0.1:8000/v1",), tokenizer="Qwen/Qwen3-8B")) as (pool, loop):
        ...

A request that the server finds fault with is a `RefusedError`; where another try may succeed, that is an
`UnavailableError` (see `elastic_reasoning.engines.http.session`).
"""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from elastic_reasoning.core.errors import EngineError, UsageError, require
from elastic_reasoning.engines.concurrent import LoopThread
from elastic_reasoning.engines.http.bodies import MOST_BYTES
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.exchange import Tell, exchange
from elastic_reasoning.engines.http.replicas import (
    RefusedError,
    Replica,
    UnavailableError,
    retry_after,
)
from elastic_reasoning.untrusted.json import MalformedError, decode

CONNECT_SECONDS = 10.0
WATCH_SECONDS = 5.0
MOST_READ, MOST_SHOWN = 4096, 300
"""Letters of what a server says of an error."""
UNAVAILABLE = (408, 425, 429)
"""What a server answers, beside 5xx, when the same request may be right a little later."""
UNKNOWN_FAILURE = 500


class _Code(Struct):
    code: int = UNKNOWN_FAILURE


class _Failure(Struct):
    """An event that says that a stream has failed."""

    error: _Code


class Pool:
    """Connections to all replicas, within the running event loop; use `connected` to open one in a thread.

    Args:
        config: where they are, and how long one waits for them.
        at_start: they are asked what they can do.
        is_resident: it lives as long as a process that serves others, and looks after its replicas also while nobody
            asks them.
    """

    def __init__(self, config: ServerConfig, *, at_start: bool = False, is_resident: bool = False) -> None:
        self.at_start, self.is_resident = at_start, is_resident
        self._aiohttp: Any = require("aiohttp", "server")
        self.config = config
        self._key = os.environ.get(config.api_key_env, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UsageError(f"the key in {config.api_key_env} holds letters that no HTTP header may: set it anew")
        self._replicas = [Replica(url, self._new_http) for url in config.base_urls]
        self._watching = asyncio.create_task(self._watch())

    def _new_http(self) -> Any:
        aiohttp, config = self._aiohttp, self.config
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=config.timeout_seconds, sock_connect=CONNECT_SECONDS),
        )

    async def _watch(self) -> None:
        """Look for replicas that end while all wait for an answer: one that ends badly leaves connections open."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for replica in [replica for replica in self._replicas if self.is_resident or replica.num_in_flight]:
                try:
                    async with asyncio.timeout(WATCH_SECONDS):
                        await self.once(replica, "models", None)
                except UnavailableError as error:
                    if error.is_gone:
                        replica.mark_failed(asyncio.get_running_loop().time(), error)
                    continue
                except TimeoutError:
                    continue
                except (RefusedError, EngineError):
                    pass  # it is there
                if replica.is_gone:
                    await replica.mark_healthy()

    async def close(self) -> None:
        """Close all connections."""
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        for replica in self._replicas:
            await replica.close()

    def least_busy(self, now: float) -> Replica:
        """The least busy of those that are not left alone; the first to be asked again where all are."""
        return min(self._replicas, key=lambda replica: (max(0.0, replica.retry_at - now), replica.num_in_flight))

    async def once(
        self, replica: Replica, path: str, body: Any, most: int = MOST_BYTES, tell: Tell | None = None
    ) -> str:
        """One try: the text of the answer to a POST, or to a GET where there is no body. `tell`: see `exchange`.

        Raises:
            UnavailableError: another try may succeed.
            RefusedError: the server finds fault with the request, or its answer is too long, has no end, or is no HTTP.
            EngineError: the key is not accepted.
        """
        url, seconds = replica.address(path), self.config.timeout_seconds
        try:
            asked = exchange(replica.http, self._new_http, url, body, most, seconds, tell)
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


@contextmanager
def connected(config: ServerConfig, at_start: bool = False) -> Iterator[tuple[Pool, asyncio.AbstractEventLoop]]:
    """A pool, and the loop of the thread in which it lives."""
    require("aiohttp", "server")
    thread = LoopThread("elastic-http")

    async def opened() -> Pool:
        return Pool(config, at_start=at_start)

    try:
        pool = asyncio.run_coroutine_threadsafe(opened(), thread.loop).result()
        try:
            yield pool, thread.loop
        finally:
            thread.cancel_all()
            asyncio.run_coroutine_threadsafe(pool.close(), thread.loop).result()
    finally:
        thread.close()
