"""What the replicas of a server can do, which must be the same of all."""

import asyncio
from dataclasses import replace
from typing import Any

from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.concurrent import LoopThread
from elastic_reasoning.engines.http.addresses import find_urls
from elastic_reasoning.engines.http.capabilities import Capabilities, find_capabilities
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.pool import Pool
from elastic_reasoning.engines.http.replicas import UnreachableError

START_SECONDS = 5.0
"""How long a server is tried at the start, where a wrong URL is likelier than a restart."""
PROBE_SECONDS = 60.0
ALIKE = ("dialect", "plug_in", "context", "prompt_ids", "logprobs", "model")
"""What must be the same of every replica for its answers to be."""


class Replicas:
    """Asks the replicas of one server what they can do.

    Attributes:
        known: URLs of those that have answered alike, with what they can do.
        urls: of all that were found when they were asked.

    Args:
        config: how they are asked.
        template, tokenizer: of the model.
        model: the server's name for it; may be left out where it serves only one.
    """

    def __init__(self, config: ServerConfig, template: Template, tokenizer: Any, model: str = "") -> None:
        self.known: dict[str, Capabilities] = {}
        self.urls: tuple[str, ...] = ()
        self._config, self._about = config, (template, tokenizer, model)

    async def check(self, url: str) -> Capabilities:
        """What one of them, and so each, can do.

        Raises:
            UnreachableError: it does not answer.
            EngineError: it cannot be used, or differs from those before.
        """
        shortly = replace(
            self._config,
            retry_seconds=min(self._config.retry_seconds, START_SECONDS),
            timeout_seconds=min(self._config.timeout_seconds, PROBE_SECONDS),
        )
        pool = Pool(shortly, (url,), at_start=True)
        try:
            found = await find_capabilities(pool, *self._about)
        finally:
            await pool.close()
        self.known[url] = found
        first, capabilities = next(iter(self.known.items()))
        pairs = {name: (getattr(capabilities, name), getattr(found, name)) for name in ALIKE}
        differ = [f"{name} {one!s} and {two!s}" for name, (one, two) in pairs.items() if one != two]
        if differ:
            del self.known[url]
            raise EngineError(
                f"{first} and {url} are not replicas of one server, with {', '.join(differ)}: "
                "start both with the same settings, or leave one out"
            )
        return capabilities

    def check_all(self) -> Capabilities:
        """Ask all of them but those that are away, from a thread of its own.

        Raises:
            UnreachableError: none of them answers.
            EngineError: as `check` and `find_urls`.
            UsageError: there are none.
        """
        if not self._config.base_urls:
            raise UsageError("no base URL: give one, as http://127.0.0.1:8000/v1")
        thread = LoopThread("elastic-http")
        try:
            return asyncio.run_coroutine_threadsafe(self._check_all(), thread.loop).result()
        finally:
            thread.close()

    async def _check_all(self) -> Capabilities:
        away: list[UnreachableError] = []
        self.urls = await find_urls(self._config.base_urls)
        for url in self.urls:
            try:
                capabilities = await self.check(url)
            except UnreachableError as error:
                away.append(error)
        if not self.known:
            raise away[0]
        return capabilities
