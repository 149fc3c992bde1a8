"""The gateway: which model a request goes to, and what it may use."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from elastic_reasoning.core.errors import unknown
from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.admission import Admission, resolved
from elastic_reasoning.serving.answer import answer
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import Backend, open_backend
from elastic_reasoning.serving.config import GatewayConfig
from elastic_reasoning.serving.effort import efforts_of
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Event
from elastic_reasoning.serving.passthrough import pass_through

LAST_WORD_SECONDS = 2.0
"""How long a client may take to read that its answer has ended before its end."""


class Gateway:
    """Models, and what clients may ask of them.

    Attributes:
        config, backends: see below.
        admission: what requests must pass, and what they came to.
        is_draining: no more requests are taken.

    Args:
        config: all that it serves.
        backends: its models; `open_gateway` opens them.
    """

    def __init__(self, config: GatewayConfig, backends: Mapping[str, Backend]) -> None:
        self.config = config
        self.backends = dict(backends)
        self.admission = Admission(config)
        self.is_draining = False
        self._is_over = False
        self._tasks: dict[asyncio.Task[Any], Backend] = {}
        self._retiring: dict[asyncio.Task[None], Backend] = {}

    def backend(self, model: str) -> Backend:
        """The model of that name; the only one where a client names none.

        Raises:
            ApiError: 404 where there is none.
        """
        if not model and len(self.backends) == 1:
            return next(iter(self.backends.values()))
        if model not in self.backends:
            raise ApiError(404, unknown("model", model, self.backends), code="model_not_found", param="model")
        return self.backends[model]

    async def answer(self, asked: Asked, access: Access | None = None) -> AsyncGenerator[Event, None]:
        """Answer a request; see `elastic_reasoning.serving.answer`. One task reads all of it.

        Args:
            asked: what is asked.
            access: the HTTP request that asks, which is told what becomes of it.
        """
        access = access or Access()
        if self.is_draining:
            headers = {"Retry-After": "1", "Connection": "close"}
            raise ApiError(503, "the gateway is shutting down: ask again", code="shutting_down", headers=headers)
        task, backend = asyncio.current_task(), self.backend(asked.model)
        assert task is not None
        self._tasks[task] = backend
        try:
            async with (
                self.admission.admitted(asked, backend, access) as (plan, prompt, meter),
                aclosing((pass_through if asked.chat_only else answer)(backend, asked, plan, prompt, meter)) as events,
            ):
                async for event in events:
                    yield meter.see(event)
        except asyncio.CancelledError:
            if not self._is_over:
                raise
            task.uncancel()
            access.error = ApiError(503, "the gateway has shut down before the answer's end", code="shutting_down")
            raise access.error from None
        finally:
            self._tasks.pop(task, None)

    async def drain(self) -> None:
        """Take no more requests, and see those that are under way to their ends; late ones end with an error."""
        self.is_draining = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self.config.drain_seconds)
            self._is_over = True
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=LAST_WORD_SECONDS)

    async def num_prompt_tokens(self, asked: Asked) -> int:
        """How many tokens the prompt of a request has.

        Raises:
            ApiError: there is no such model, or no prompt can be made of it.
        """
        backend = self.backend(asked.model)
        plan = resolved(asked, backend.config, backend, backend.engine.context)
        return len((await backend.prompt(asked, plan)).ids)

    def unready(self) -> str:
        """Why it should be sent no requests now; empty where it should."""
        if self.is_draining:
            return "draining"
        away = [name for name, backend in self.backends.items() if not backend.is_ready]
        return f"nothing answers for {', '.join(away)}" if away else ""

    def change(self, config: GatewayConfig, backends: Mapping[str, Backend]) -> None:
        """Serve other models from now on. Those that are left out are closed when their last answer has ended."""
        gone = [backend for backend in self.backends.values() if backend not in backends.values()]
        self.config, self.backends = config, dict(backends)
        for backend in gone:
            retiring = asyncio.create_task(self._retire(backend))
            self._retiring[retiring] = backend
            retiring.add_done_callback(self._retiring.pop)

    async def _retire(self, backend: Backend) -> None:
        while used := [task for task, using in self._tasks.items() if using is backend]:
            await asyncio.wait(used)
        await backend.close()

    async def start(self) -> None:
        """Begin to serve within the running event loop."""
        for backend in self.backends.values():
            await backend.start()

    async def close(self) -> None:
        """Give up what is under way, and close all engines."""
        for backend in (*self.backends.values(), *self._retiring.values()):
            await backend.close()
        for retiring in self._retiring:
            retiring.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        self.admission.close()


def open_gateway(config: GatewayConfig) -> Gateway:
    """Open every model of a configuration.

    Raises:
        ElasticError: one of them cannot be opened; none is left open then.
    """
    efforts = efforts_of(config)
    backends: dict[str, Backend] = {}
    try:
        for name, model in config.models.items():
            backends[name] = open_backend(name, model, efforts[name])
    except BaseException:
        for backend in backends.values():
            backend.engine.close()
        raise
    return Gateway(config, backends)
