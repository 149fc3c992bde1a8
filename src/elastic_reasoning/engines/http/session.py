"""The calls of one request to a server: which replica is asked, and how long one keeps trying.

A server that is overloaded, broken or gone is left alone for a while and asked again, or another replica is; only when
nothing has answered for `retry_seconds` is that an `UnreachableError`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Self, TypeVar

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.http import replicas
from elastic_reasoning.engines.http.bodies import MOST_BYTES
from elastic_reasoning.engines.http.exchange import Tell
from elastic_reasoning.engines.http.pool import Pool
from elastic_reasoning.engines.http.replicas import RefusedError, Replica, UnavailableError, UnreachableError, advice
from elastic_reasoning.engines.http.routing import session_of
from elastic_reasoning.untrusted.json import Fault, MalformedError

Read = TypeVar("Read")

MOST_ARRIVED = 16
"""How often events may come that wait to be read, before the server has to wait."""


class Session:
    """The calls of one request: they go to one replica, whose cache knows its prefix, while it answers.

        with Session(pool) as session:
            answer = await session.ask("models", None, read)

    Attributes:
        pool: the connections that it uses.

    Args:
        pool: as above.
        ids: of the prompt, by which a replica is found that has its beginning, here or by a router in between.
    """

    def __init__(self, pool: Pool, ids: Sequence[int] = ()) -> None:
        self.pool = pool
        self._beginnings = pool.beginnings_of(ids)
        self._id = session_of(ids)
        self._replica: Replica | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._leave()

    @property
    def replica(self) -> Replica:
        """The replica that is asked, once it has been waited for."""
        assert self._replica is not None
        return self._replica

    @property
    def base(self) -> str:
        """The base URL of the replica that is asked."""
        return self.replica.base

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
        tries = Tries(self)
        while True:
            await tries.wait()
            try:
                answer = self.read(path, await self._once(path, body, most), read)
            except UnavailableError as error:
                tries.failed(path, error)
            else:
                await self.replica.mark_healthy()
                return answer

    async def events(self, path: str, body: Any, most: int) -> AsyncGenerator[list[str], None]:
        """One try: the events of an answer as they come, those that come together in one list; one that is no stream
        is a single event.

        Closing this drops the request, so that the server stops.

        Args:
            path: as for `ask`.
            body: what is sent; it says whether a stream is wanted (`stream`).
            most: bytes of one event.

        Raises:
            UnavailableError, RefusedError, EngineError: as `Client.once`.
        """
        if not body.get("stream"):
            yield [await self._once(path, body, most)]
            return
        arrived: asyncio.Queue[list[str] | None] = asyncio.Queue()
        room = asyncio.Semaphore(MOST_ARRIVED)

        async def tell(events: list[str]) -> None:
            await room.acquire()
            arrived.put_nowait(events)

        exchanging = asyncio.create_task(self._once(path, body, most, tell))
        exchanging.add_done_callback(lambda task: arrived.put_nowait(None))
        try:
            while (events := await arrived.get()) is not None:
                room.release()
                yield events
            text = exchanging.result()
            if text:
                yield [text]
        finally:
            exchanging.cancel()
            await asyncio.gather(exchanging, return_exceptions=True)

    async def _once(self, path: str, body: Any, most: int, tell: Tell | None = None) -> str:
        return await self.pool.client.once(self.replica, path, body, most, tell, self._id)

    def read_event(self, path: str, event: str, read: Callable[[str], Read]) -> Read:
        """What a reader makes of an event of a stream, which may be that it has failed.

        Raises:
            UnavailableError, RefusedError, EngineError: as `Client.once`, and as `read`.
        """
        self.pool.client.check_event(event, self.replica.address(path))
        return self.read(path, event, read)

    def read(self, path: str, text: str, read: Callable[[str], Read]) -> Read:
        """What a reader makes of a text.

        Raises:
            RefusedError: something within it is wrong.
            EngineError: it is something else; what the reader raises comes through.
        """
        try:
            return read(text)
        except MalformedError as error:
            if error.fault is Fault.VALUE:
                raise RefusedError(f"the server's answer cannot be used: {error}") from None
            raise EngineError(
                f"{self.replica.address(path)} answered with something else than was asked for ({error}): "
                "is it the right URL?"
            ) from None

    async def wait(self, until: float | None) -> None:
        """Wait for a place at a replica that may be asked; beyond `until`, one that is left alone is asked after all.

        It is looked for again and again: another request may find meanwhile that a replica is well.
        """
        clock = asyncio.get_running_loop()
        while True:
            now = clock.time()
            if self._replica is not None and self._replica.retry_at <= now:
                return
            self._leave()
            replica = self.pool.choose(now, self._beginnings)
            if replica is None:
                await self.pool.change(replicas.LONGEST_BACKOFF_SECONDS)
                continue
            retry_at = replica.retry_at if until is None else min(replica.retry_at, until)
            if retry_at <= now:
                self._replica = replica
                return self.pool.take(replica, self._beginnings)
            await self.pool.change(min(retry_at - now, replicas.LONGEST_BACKOFF_SECONDS))

    def _leave(self) -> None:
        if self._replica is not None:
            self.pool.release(self._replica)
            self._replica = None


class Tries:
    """The tries of one call, until one succeeds or none has for `retry_seconds`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._failing_since: float | None = None

    async def wait(self) -> None:
        """Wait until the next try may be made."""
        since, seconds = self._failing_since, self._session.pool.config.retry_seconds
        await self._session.wait(None if since is None else since + seconds)

    def failed(self, path: str, error: UnavailableError) -> None:
        """Note that one failed.

        Raises:
            UnreachableError: it was the last one.
        """
        pool, replica, now = self._session.pool, self._session.replica, asyncio.get_running_loop().time()
        replica.mark_failed(now, error)
        since = self._failing_since = now if self._failing_since is None else self._failing_since
        if now - since >= pool.config.retry_seconds:
            raise UnreachableError(
                f"{replica.address(path)} does not answer: {error} (tried for {now - since:.0f} s): "
                f"{advice(error, pool.at_start)}"
            ) from None

    async def progressed(self) -> None:
        """Note that there is an answer, if only its beginning."""
        self._failing_since = None
        await self._session.replica.mark_healthy()
