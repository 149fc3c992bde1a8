"""Connections to one or several replicas of a server: which are well, and which one a request goes to.

    with connected(ServerConfig(("http://127.0.0.1:8000/v1",), tokenizer="Qwen/Qwen3-8B")) as (pool, loop): ...

A pool that has members looks after them every `WATCH_SECONDS`: who is away is left alone until it is back, and where
addresses may change (see `addresses`), they are looked up again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

from elastic_reasoning.core.errors import EngineError, require
from elastic_reasoning.engines.concurrent import LoopThread
from elastic_reasoning.engines.http.addresses import find_urls, may_change
from elastic_reasoning.engines.http.client import Client
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.replicas import RefusedError, Replica, UnavailableError
from elastic_reasoning.engines.http.routing import Prefixes, beginnings_of, choose

logger = logging.getLogger(__name__)

WATCH_SECONDS = 5.0


@dataclass(frozen=True)
class Membership:
    """Who may be asked by a pool that lives long, while replicas come and go."""

    known: Collection[str]
    """URLs that are known to be replicas of one server."""
    check: Callable[[str], Awaitable[object]]
    """Raises `EngineError` where another URL does not answer, or is none."""
    most_each: float
    """Requests under way at each replica."""
    on_change: Callable[[], None]
    """Called when the pool has other replicas than before."""


class Pool:
    """Connections to all replicas, within the running event loop; use `connected` to open one in a thread.

    Args:
        config: at which addresses they are, and how long one waits for them.
        urls: of those that are there now.
        at_start: they are asked what they can do.
        membership: of a pool that does more than to ask that.
    """

    def __init__(
        self,
        config: ServerConfig,
        urls: Sequence[str],
        *,
        at_start: bool = False,
        membership: Membership | None = None,
    ) -> None:
        self.at_start = at_start
        self._membership = membership
        self.config = config
        self.client = Client(config)
        known = urls if membership is None else membership.known
        self.replicas = [self._new_replica(url, url in known) for url in urls]
        self._addresses: Sequence[str] = config.base_urls
        self._replacing = asyncio.Lock()
        self._told = ""
        self._leaving: set[Replica] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._prefixes = Prefixes()
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._watching = asyncio.create_task(self._watch())

    def _new_replica(self, url: str, is_known: bool) -> Replica:
        return Replica(url, self.client.new_http, is_known)

    async def _watch(self) -> None:
        """Look for replicas that end while all wait for an answer: one that ends badly leaves connections open."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._membership is not None and any(map(may_change, self._addresses)):
                await self._look_up()
            watched = [replica for replica in self.replicas if self._membership or replica.num_in_flight]
            await asyncio.gather(*(self._look_at(replica) for replica in (*watched, *self._leaving)))

    async def _look_up(self) -> None:
        """Have the replicas that are at the addresses now; where that cannot be, those from before stay."""
        try:
            await self.replace(self._addresses)
        except EngineError as error:
            if str(error) != self._told:
                logger.warning("the servers stay as they were: %s", error)
            self._told = str(error)
        else:
            self._told = ""

    async def _look_at(self, replica: Replica) -> None:
        if not replica.is_known:
            return await self._get_to_know(replica)
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                await self.client.once(replica, "models", None)
        except UnavailableError as error:
            if error.is_gone or (self._membership and not error.is_late):
                replica.mark_failed(now(), error)
            return
        except TimeoutError:
            return
        except (RefusedError, EngineError):
            pass  # it is there
        nobody_tries = self._membership and not replica.num_in_flight and replica.retry_at <= now()
        if replica.is_gone or (replica.is_failing and nobody_tries):
            await replica.mark_healthy()

    async def _get_to_know(self, replica: Replica) -> None:
        assert self._membership is not None
        try:
            await self._membership.check(replica.url)
        except EngineError as error:
            if str(error) != replica.stranger:
                logger.warning("%s is not asked: %s", replica.base, error)
            replica.stranger = str(error)
        else:
            replica.stranger = None
            self._wake()

    async def replace(self, addresses: Sequence[str]) -> None:
        """Have the replicas at these addresses from now on, where at least one of them is well.

        Those that are left out end what they have begun.

        Raises:
            EngineError: none of them can be asked; those from before stay.
        """
        async with self._replacing:
            urls = await find_urls(addresses)
            before = {replica.url: replica for replica in self.replicas}
            if list(urls) != list(before):
                await self._change_to(urls, before)
            self._addresses = addresses

    async def _change_to(self, urls: Sequence[str], before: Mapping[str, Replica]) -> None:
        after = [before.get(url) or self._new_replica(url, is_known=False) for url in urls]
        try:
            await asyncio.gather(*(self._get_to_know(replica) for replica in after if not replica.is_known))
            if not any(replica.is_known for replica in after):
                raise EngineError("; ".join(f"{replica.base}: {replica.stranger}" for replica in after))
        except BaseException:
            for replica in after:
                if replica.url not in before:
                    await replica.close()
            raise
        self.replicas = after
        for replica in before.values():
            if replica not in after:
                self._prefixes.forget(replica)
                self._leaving.add(replica)
                self._let_go(replica)
        if self._membership is not None:
            self._membership.on_change()

    async def close(self) -> None:
        """Close all connections."""
        self._watching.cancel()
        await asyncio.gather(self._watching, *self._closing, return_exceptions=True)
        for replica in (*self.replicas, *self._leaving):
            await replica.close()

    def beginnings_of(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Of a prompt, what one of several replicas is chosen by."""
        return beginnings_of(ids) if len(self.replicas) > 1 else ()

    def choose(self, now: float, beginnings: Sequence[int]) -> Replica | None:
        """The replica to ask; `None` where each has as many requests as it may."""
        most = self._membership.most_each if self._membership else inf
        free = [replica for replica in self.replicas if replica.is_known and replica.num_in_flight < most]
        return choose(free, now, self._prefixes, beginnings) if free else None

    def take(self, replica: Replica, beginnings: Sequence[int]) -> None:
        """Have a place at a replica."""
        replica.num_in_flight += 1
        self._prefixes.note(beginnings, replica)

    def release(self, replica: Replica) -> None:
        """Give a place up."""
        replica.num_in_flight -= 1
        self._let_go(replica)
        self._wake()

    def _let_go(self, replica: Replica) -> None:
        """Close the connections to a replica that is left out, once nobody has a place there."""
        if replica in self._leaving and not replica.num_in_flight:
            self._leaving.remove(replica)
            closing = asyncio.create_task(replica.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def change(self, seconds: float) -> None:
        """Wait until a place is free, but not for longer; who waits longest is told first."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[told] = None
        try:
            await asyncio.wait([told], timeout=seconds)
        except asyncio.CancelledError:
            if told.done():
                self._wake()
            raise
        finally:
            self._waiting.pop(told, None)

    def _wake(self) -> None:
        told = next(iter(self._waiting), None)
        if told is not None:
            del self._waiting[told]
            told.set_result(None)


@contextmanager
def connected(config: ServerConfig, at_start: bool = False) -> Iterator[tuple[Pool, asyncio.AbstractEventLoop]]:
    """A pool, and the loop of the thread in which it lives."""
    require("aiohttp", "server")
    thread = LoopThread("elastic-http")

    async def opened() -> Pool:
        return Pool(config, await find_urls(config.base_urls), at_start=at_start)

    try:
        pool = asyncio.run_coroutine_threadsafe(opened(), thread.loop).result()
        try:
            yield pool, thread.loop
        finally:
            thread.cancel_all()
            asyncio.run_coroutine_threadsafe(pool.close(), thread.loop).result()
    finally:
        thread.close()
