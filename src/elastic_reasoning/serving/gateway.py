"""The gateway: which model a request goes to, and what it may use."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from elastic_reasoning.core.errors import ElasticError, unknown
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.serving.answer import answer
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import Backend, open_backend
from elastic_reasoning.serving.budgets import Plan, resolve, room_behind
from elastic_reasoning.serving.config import GatewayConfig
from elastic_reasoning.serving.effort import efforts_of
from elastic_reasoning.serving.errors import ApiError, bad_request
from elastic_reasoning.serving.events import Event

LAST_WORD_SECONDS = 2.0
"""How long a client may take to read that its answer has ended before its end."""


class Gateway:
    """Models, and what clients may ask of them.

    Attributes:
        config, backends: see below.
        is_draining: no more requests are taken.

    Args:
        config: all that it serves.
        backends: its models; `open_gateway` opens them.
    """

    def __init__(self, config: GatewayConfig, backends: Mapping[str, Backend]) -> None:
        self.config = config
        self.backends = dict(backends)
        self.is_draining = False
        self._is_over = False
        self._tasks: set[asyncio.Task[Any]] = set()

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

    async def answer(self, asked: Asked) -> AsyncGenerator[Event, None]:
        """Answer a request; see `elastic_reasoning.serving.answer`. One task reads all of it."""
        if self.is_draining:
            headers = {"Retry-After": "1", "Connection": "close"}
            raise ApiError(503, "the gateway is shutting down: ask again", code="shutting_down", headers=headers)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with aclosing(answer(*await self._admit(asked))) as events:
                async for event in events:
                    yield event
        except asyncio.CancelledError:
            if not self._is_over:
                raise
            task.uncancel()
            raise ApiError(503, "the gateway has shut down before the answer's end", code="shutting_down") from None
        finally:
            self._tasks.discard(task)

    async def _admit(self, asked: Asked) -> tuple[Backend, Asked, Plan, Prompt]:
        """What a request is answered by, with and from."""
        backend = self.backend(asked.model)
        engine = backend.engine
        plan = _plan(backend, asked, engine.context)
        prompt = await backend.prompt(asked, plan)
        plan = _plan(backend, asked, room_behind(prompt, engine.template, engine.context, plan))
        return backend, asked, plan, prompt

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
        plan = _plan(backend, asked, backend.engine.context)
        return len((await backend.prompt(asked, plan)).ids)

    async def start(self) -> None:
        """Begin to serve within the running event loop."""
        for backend in self.backends.values():
            await backend.start()

    async def close(self) -> None:
        """Give up what is under way, and close all engines."""
        for backend in self.backends.values():
            await backend.close()


def _plan(backend: Backend, asked: Asked, room: int | None) -> Plan:
    """What a request may use of this room, as its strategy can spend it."""
    plan = resolve(asked.limits, backend.config, backend.efforts, room)
    try:
        find_strategy(plan.strategy).check(plan.budget, plan.options)
    except ElasticError as error:
        raise bad_request(str(error), "strategy") from None
    return plan


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
