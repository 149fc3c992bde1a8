"""The gateway: which model a request goes to, and what it may use."""

from collections.abc import AsyncGenerator, Mapping

from elastic_reasoning.core.errors import ElasticError, unknown
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.serving.answer import answer
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import Backend, open_backend
from elastic_reasoning.serving.budgets import resolve
from elastic_reasoning.serving.config import GatewayConfig
from elastic_reasoning.serving.errors import ApiError, bad_request
from elastic_reasoning.serving.events import Event


class Gateway:
    """Models, and what clients may ask of them.

    Args:
        config: all that it serves.
        backends: its models; `open_gateway` opens them.
    """

    def __init__(self, config: GatewayConfig, backends: Mapping[str, Backend]) -> None:
        self.config = config
        self.backends = dict(backends)

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
        """Answer a request; see `elastic_reasoning.serving.answer`."""
        backend = self.backend(asked.model)
        plan = resolve(asked.limits, backend.config, backend.engine.context)
        try:
            find_strategy(asked.strategy, asked.options).check(plan.budget, asked.options)
        except ElasticError as error:
            raise bad_request(str(error), "strategy") from None
        prompt = await backend.prompt(asked, plan)
        events = answer(backend, asked, plan, prompt)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def start(self) -> None:
        """Begin to serve within the running event loop."""
        for backend in self.backends.values():
            await backend.start()

    async def close(self) -> None:
        """Give up what is under way, and close all engines."""
        for backend in self.backends.values():
            await backend.close()


def open_gateway(config: GatewayConfig) -> Gateway:
    """Open every model of a configuration.

    Raises:
        ElasticError: one of them cannot be opened; none is left open then.
    """
    backends: dict[str, Backend] = {}
    try:
        for name, model in config.models.items():
            backends[name] = open_backend(name, model)
    except BaseException:
        for backend in backends.values():
            backend.engine.close()
        raise
    return Gateway(config, backends)
