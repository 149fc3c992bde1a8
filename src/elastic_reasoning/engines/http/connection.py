"""HTTP to one or several copies of a server: which one is asked, how long one keeps trying, what a failure means.

    with connected(ServerConfig(("http://127.0.0.1:8000/v1",), tokenizer="Qwen/Qwen3-8B")) as (connection, loop):
        ...

A request that the server finds fault with is a `RefusedError`. A server that is overloaded, broken or gone is left
alone for a while and asked again, or another copy is; only when nothing has answered for `retry_seconds` is that an
`UnreachableError`.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import urlsplit

from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.core.errors import EngineError, UsageError, require, unknown
from elastic_reasoning.engines.concurrent import LoopThread
from elastic_reasoning.engines.http import replicas as copies
from elastic_reasoning.engines.http.bodies import MOST_BYTES
from elastic_reasoning.engines.http.exchange import exchange
from elastic_reasoning.engines.http.replicas import (
    Copy,
    RefusedError,
    UnavailableError,
    UnreachableError,
    advice,
    retry_after,
)
from elastic_reasoning.untrusted.json import Fault, MalformedError, decode

Read = TypeVar("Read")

MODES = ("auto", "one-pass", "by-call")
DIALECT_NAMES = ("auto", "vllm", "sglang", "llama.cpp", "openai")
CONNECT_SECONDS = 10.0
WATCH_SECONDS = 5.0
MOST_READ, MOST_SHOWN = 4096, 300
"""Letters of what a server says of an error."""
UNAVAILABLE = (408, 425, 429)
"""What a server answers, beside 5xx, when the same request may be right a little later."""


@dataclass(frozen=True)
class ServerConfig:
    """Where a model is served, and how it is asked."""

    base_urls: tuple[str, ...] = field(default=(), metadata=EXECUTION)
    """Copies of one server, each as http://127.0.0.1:8000/v1."""
    tokenizer: str = ""
    """mini, mini-e1, a folder, or a hub name; if empty, the model's name."""
    api_key_env: str = field(default="OPENAI_API_KEY", metadata=EXECUTION)
    """The environment variable that holds the key."""
    concurrency: int = field(default=64, metadata=EXECUTION)
    """Requests under way in all."""
    timeout_seconds: float = field(default=600.0, metadata=EXECUTION)
    """How long one answer may take."""
    retry_seconds: float = field(default=300.0, metadata=EXECUTION)
    """How long to keep trying while nothing answers."""
    dialect: str = "auto"
    """auto, vllm, sglang, llama.cpp or openai."""
    mode: str = "auto"
    """auto, one-pass or by-call."""
    context: int | None = None
    """Tokens of prompt and completion, where the server does not tell."""
    opening: str | None = None
    """Thinking delimiters, where the tokenizer does not name them."""
    closing: str | None = None
    """Thinking delimiters, where the tokenizer does not name them."""

    def __post_init__(self) -> None:
        for url in self.base_urls:
            parts = urlsplit(url)
            if "@" in parts.netloc:
                raise UsageError(f"the URL of {parts.hostname} holds a name or a key: set {self.api_key_env} instead")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise UsageError(f"base URL {url!r}: write it as http://127.0.0.1:8000/v1")
        if self.concurrency < 1:
            raise UsageError(f"concurrency {self.concurrency}: must be 1 or more")
        if not (isfinite(self.timeout_seconds) and self.timeout_seconds > 0):
            raise UsageError(f"timeout_seconds {self.timeout_seconds}: must be more than 0, and finite")
        if not (isfinite(self.retry_seconds) and self.retry_seconds >= 0):
            raise UsageError(f"retry_seconds {self.retry_seconds}: must be 0 or more, and finite")
        if self.dialect not in DIALECT_NAMES:
            raise UsageError(unknown("dialect", self.dialect, DIALECT_NAMES))
        if self.mode not in MODES:
            raise UsageError(f"mode {self.mode!r}: must be one of {', '.join(MODES)}")


class Connection:
    """A pool of connections to all copies; use `connected` to open one. `at_start`, they are asked what they can do."""

    def __init__(self, config: ServerConfig, at_start: bool = False) -> None:
        self.at_start = at_start
        self._aiohttp: Any = require("aiohttp", "server")
        self.config = config
        self._key = os.environ.get(config.api_key_env, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UsageError(f"the key in {config.api_key_env} holds letters that no HTTP header may: set it anew")
        self._copies = [Copy(url, self._new_session) for url in config.base_urls]
        self._watching = asyncio.create_task(self._watch())

    def _new_session(self) -> Any:
        aiohttp, config = self._aiohttp, self.config
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=config.timeout_seconds, sock_connect=CONNECT_SECONDS),
        )

    async def _watch(self) -> None:
        """Look for copies that end while all wait for an answer: one that ends badly leaves connections open."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for copy in [copy for copy in self._copies if copy.num_busy]:
                try:
                    async with asyncio.timeout(WATCH_SECONDS):
                        await self.once(copy, "models", None)
                except UnavailableError as error:
                    if error.is_gone:
                        copy.failed(asyncio.get_running_loop().time(), error)
                    continue
                except TimeoutError:
                    continue
                except (RefusedError, EngineError):
                    pass  # it is there
                if copy.is_gone:
                    await copy.well()

    async def close(self) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        for copy in self._copies:
            await copy.session.close()

    @contextmanager
    def line(self) -> Iterator["Line"]:
        """A line for the calls of one request: they go to one copy, whose cache knows its prefix, while it answers."""
        line = Line(self)
        try:
            yield line
        finally:
            line.copy.num_busy -= 1

    def free_copy(self, now: float) -> Copy:
        """The least busy of those that are not left alone; the first to be asked again where all are."""
        return min(self._copies, key=lambda copy: (max(0.0, copy.rest_until - now), copy.num_busy))

    async def once(self, copy: Copy, path: str, body: Any, most: int = MOST_BYTES) -> str:
        """One try: the text of the answer to a POST, or to a GET where there is no body.

        Raises:
            UnavailableError: another try may succeed.
            RefusedError: the server finds fault with the request, or its answer is too long, has no end, or is no HTTP.
            EngineError: the key is not accepted.
        """
        url, seconds = copy.address(path), self.config.timeout_seconds
        try:
            asked = exchange(copy.session, self._new_session, url, body, most, seconds)
            status, wait, text = await copy.finish(asked)
        except self._aiohttp.ClientResponseError as error:
            raise RefusedError(f"the server does not answer in HTTP: {self._line(str(error.message))}") from None
        except (self._aiohttp.ClientError, TimeoutError, OSError) as error:
            late = f"no answer within timeout_seconds {seconds:g}"
            reason = self._line(str(error)) or (late if isinstance(error, TimeoutError) else type(error).__name__)
            is_gone = isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
            is_late = isinstance(error, TimeoutError) and not isinstance(error, self._aiohttp.ServerTimeoutError)
            # What is caught may hold the headers.
            raise UnavailableError(reason, is_gone=is_gone, is_late=is_late) from None
        if status in (401, 403):
            state = "set, and not accepted" if self._key else "not set"
            raise EngineError(f"{url} answered {status}: the key in {self.config.api_key_env} is {state}")
        if status in UNAVAILABLE or (status >= 500 and status != 501):
            rest_seconds = retry_after(wait, datetime.now(UTC), self.config.retry_seconds)
            raise UnavailableError(f"{status} {self._said(text)}", rest_seconds)
        if status >= 300:
            raise RefusedError(f"the server answered {status}: {self._said(text)}", status)
        return text

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


class Line:
    """The calls of one request.

    Attributes:
        copy: the copy of the server that is asked next.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.copy = connection.free_copy(asyncio.get_running_loop().time())
        self.copy.num_busy += 1

    async def ask(self, path: str, body: Any, read: Callable[[str], Read], most: int = MOST_BYTES) -> Read:
        """POST a body as JSON, or GET where it is `None`, until there is an answer.

        Args:
            path: below the base URL; beside it, if it begins with a slash.
            body: what is sent.
            read: makes something of the answer's text; it may find that the answer is `UnavailableError` after all.
            most: bytes; an answer that is longer is not read to its end.

        Raises:
            RefusedError: the request is at fault, or its answer is.
            UnreachableError: nothing has answered for `retry_seconds`.
            EngineError: the key is not accepted, or another kind of server answers.
        """
        config, clock = self._connection.config, asyncio.get_running_loop()
        failing_since = None
        while True:
            await self._wait(None if failing_since is None else failing_since + config.retry_seconds)
            url = self.copy.address(path)
            try:
                answer = read(await self._connection.once(self.copy, path, body, most))
            except UnavailableError as error:
                now = clock.time()
                self.copy.failed(now, error)
                failing_since = now if failing_since is None else failing_since
                if now - failing_since >= config.retry_seconds:
                    raise UnreachableError(
                        f"{url} does not answer: {error} (tried for {now - failing_since:.0f} s): "
                        f"{advice(error, self._connection.at_start)}"
                    ) from None
            except MalformedError as error:
                if error.fault is Fault.VALUE:
                    raise RefusedError(f"the server's answer cannot be used: {error}") from None
                raise EngineError(
                    f"{url} answered with something else than was asked for ({error}): is it the right URL?"
                ) from None
            else:
                await self.copy.well()
                return answer

    async def _wait(self, until: float | None) -> None:
        """Wait for a copy that may be asked, but not beyond `until`.

        It is looked for again and again: another request may find meanwhile that a copy is well.
        """
        clock = asyncio.get_running_loop()
        while True:
            now = clock.time()
            self._choose(now)
            rest_until = self.copy.rest_until if until is None else min(self.copy.rest_until, until)
            if rest_until <= now:
                return
            await asyncio.sleep(min(rest_until - now, copies.LONGEST_REST_SECONDS))

    def _choose(self, now: float) -> None:
        """Move to another copy where this one is left alone."""
        if self.copy.rest_until <= now:
            return
        self.copy.num_busy -= 1
        self.copy = self._connection.free_copy(now)
        self.copy.num_busy += 1


@contextmanager
def connected(config: ServerConfig, at_start: bool = False) -> Iterator[tuple[Connection, asyncio.AbstractEventLoop]]:
    """A connection, and the loop of the thread in which it lives."""
    require("aiohttp", "server")
    thread = LoopThread("elastic-openai")

    async def opened() -> Connection:
        return Connection(config, at_start)

    try:
        connection = asyncio.run_coroutine_threadsafe(opened(), thread.loop).result()
        try:
            yield connection, thread.loop
        finally:
            asyncio.run_coroutine_threadsafe(connection.close(), thread.loop).result()
    finally:
        thread.close()
