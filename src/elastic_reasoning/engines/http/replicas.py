"""One replica of a server, and what can go wrong with it."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from elastic_reasoning.core.errors import EngineError

FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 10.0


Exchanged = TypeVar("Exchanged")


class RefusedError(Exception):
    """The server, or its dialect, cannot do what one request asks. `status` is that of HTTP, where there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(EngineError):
    """No replica of the server answered in time."""


class UnavailableError(Exception):
    """One try failed in a way that another may not.

    Attributes:
        retry_after_seconds: how long the server is to be left alone.
        is_gone: nothing listens there.
        is_late: it was asked, and did not answer in time.
    """

    def __init__(
        self, reason: str, retry_after_seconds: float = 0.0, is_gone: bool = False, is_late: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
        self.is_gone = is_gone
        self.is_late = is_late


def retry_after(header: str, now: datetime, most_seconds: float) -> float:
    """Seconds that a `Retry-After` asks for: a number or a date (RFC 9110, 10.2.3); 0 where it is neither.

    It is a server's word: no more of it is heeded than `most_seconds`.
    """
    header = header.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", header):
        return min(float(header), most_seconds)
    try:
        date = parsedate_to_datetime(header)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return min(max(0.0, (date - now).total_seconds()), most_seconds)
    except (ValueError, OverflowError):
        return 0.0


def advice(error: UnavailableError, at_start: bool) -> str:
    """What helps; at the start one request is tried, for a time that is not the caller's to choose."""
    if at_start:
        return "raise timeout_seconds" if error.is_late else "see to the server and run again"
    if error.is_late:
        return "lower concurrency or raise timeout_seconds"
    return "see to the server and run again, or raise retry_seconds"


class Replica:
    """One replica of the server, and how it does.

    Attributes:
        url: as it was given.
        base, root: its base URL, and what that is without /v1.
        http: aiohttp's session, with the connections to it.
        num_in_flight: requests that have a place at it.
        stranger: why it is not known to be a replica of the others, and asked for nothing; `None` where it is known.
        retry_at: when it may be asked again, by the loop's clock.
        is_gone: nothing listened there when it was last asked.
    """

    def __init__(self, url: str, new_http: Callable[[], Any], is_known: bool = True) -> None:
        self.url = url
        url = url.rstrip("/")
        self.base = url if urlsplit(url).path else f"{url}/v1"
        self.root = self.base.removesuffix("/v1")
        self.http = new_http()
        self.num_in_flight = 0
        self.retry_at = 0.0
        self._backoff_seconds = FIRST_BACKOFF_SECONDS
        self._new_http = new_http
        self._exchanging: set[asyncio.Task[Any]] = set()
        self._before: list[tuple[Any, set[asyncio.Task[Any]]]] = []
        self.is_gone = False
        self.stranger: str | None = None if is_known else "it has not been asked yet"

    @property
    def is_known(self) -> bool:
        """Whether it is known to be a replica of the others."""
        return self.stranger is None

    @property
    def is_failing(self) -> bool:
        """Whether what it was asked last has failed, as far as that is over."""
        return self.retry_at > 0

    @property
    def is_well(self) -> bool:
        """Whether it can be expected to answer."""
        return self.is_known and not self.is_failing

    def reluctance(self, now: float) -> tuple[float, bool]:
        """How little it is to be asked: seconds until it may be, and whether it is being tried after a failure."""
        return max(0.0, self.retry_at - now), self.is_failing and self.num_in_flight > 0

    def address(self, path: str) -> str:
        """A path with a slash before it stands beside /v1, any other one under it."""
        return f"{self.root}{path}" if path.startswith("/") else f"{self.base}/{path}"

    async def finish(self, exchange: Coroutine[Any, Any, Exchanged]) -> Exchanged:
        """Wait for an exchange, which is given up where it turns out to be with a process that has gone.

        Raises:
            UnavailableError: it was given up; what the exchange raises comes through.
        """
        task = asyncio.create_task(exchange)
        exchanging = self._exchanging
        exchanging.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if waiting is None or waiting.cancelling():
                raise
            raise UnavailableError("the session was closed") from None
        finally:
            exchanging.discard(task)

    async def mark_healthy(self) -> None:
        """It answered: how long it wanted to be left alone is forgotten.

        Where it was gone this is another process, and what the one before was asked is given up.
        """
        self._backoff_seconds, self.retry_at, self.is_gone = FIRST_BACKOFF_SECONDS, 0.0, False
        before, self._before = self._before, []
        for http, exchanging in before:
            for task in exchanging:  # closing the session would leave what reads an answer waiting
                task.cancel()
            await http.close()

    def mark_failed(self, now: float, error: UnavailableError) -> None:
        """Leave it alone; longer, if it was only just left alone. What fails at the same time counts once."""
        if error.is_gone and not self.is_gone:  # what is asked from now on is asked of another process
            self.is_gone = True
            self._before.append((self.http, self._exchanging))
            self.http, self._exchanging = self._new_http(), set()
        if now >= self.retry_at:
            self.retry_at = now + self._backoff_seconds
            self._backoff_seconds = min(2 * self._backoff_seconds, LONGEST_BACKOFF_SECONDS)
        self.retry_at = max(self.retry_at, now + error.retry_after_seconds)

    async def close(self) -> None:
        """Close its connections."""
        for http, _ in (*self._before, (self.http, None)):
            await http.close()
