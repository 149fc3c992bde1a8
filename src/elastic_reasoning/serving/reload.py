"""Models and upstreams that come and go while the gateway serves: its file is read again, and no stream is lost.

It is read when it changes, and on SIGHUP. A file that is wrong is refused, and everything stays as it was.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import asdict, replace

from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.serving.backend import Backend, engine_config, open_backend
from elastic_reasoning.serving.config import GatewayConfig, ModelConfig, stamp_of
from elastic_reasoning.serving.effort import efforts_of
from elastic_reasoning.serving.gateway import Gateway

LOOK_SECONDS = 2.0
"""How often it is looked whether a file has changed."""
HEEDED = ("models", "budgets")
"""The keys of the configuration that count at once."""

logger = logging.getLogger(__name__)


class Reloader:
    """Reads a gateway's configuration again when it has to.

    Args:
        gateway: whose it is.
        read: makes the configuration anew.
        file: that it is made of, if it is; a file of budgets that it names is looked at too.
    """

    def __init__(self, gateway: Gateway, read: Callable[[], GatewayConfig], file: Path | None) -> None:
        self._gateway, self._read, self._file = gateway, read, file
        self._told = asyncio.Event()
        self._stamps = self._look()

    def tell(self) -> None:
        """Read it now, whether a file has changed or not; within the loop."""
        self._told.set()

    async def watch(self) -> None:
        """Read it whenever a file has changed, or when told to, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._told.wait()
            except TimeoutError:
                pass
            stamps = self._look()
            if self._told.is_set() or stamps != self._stamps:
                self._told.clear()
                self._stamps = stamps
                await self._reload()

    def _look(self) -> list[tuple[int, int, int] | None]:
        budgets = self._gateway.config.budgets
        return [stamp_of(path) for path in (self._file, Path(budgets) if budgets else None)]

    async def _reload(self) -> None:
        try:
            config = await asyncio.to_thread(self._read)
            await apply(self._gateway, config)
        except ElasticError as error:
            logger.error("the gateway goes on as it was: %s", error)
        except Exception:
            logger.exception("the gateway goes on as it was")
        else:
            logger.info("serving %s", ", ".join(self._gateway.backends))


async def apply(gateway: Gateway, config: GatewayConfig) -> None:
    """Serve the models of another configuration from now on; what is under way goes on to its end.

    Raises:
        ElasticError: a model cannot be opened, or none of its upstreams asked; nothing has changed then.
    """
    efforts = await asyncio.to_thread(efforts_of, config)
    before = gateway.backends
    opened: dict[str, Backend] = {}
    kept = [name for name, model in config.models.items() if name in before and _can_stay(before[name].config, model)]
    moved: list[Backend] = []
    try:
        for name in config.models.keys() - kept:
            opened[name] = await asyncio.to_thread(open_backend, name, config.models[name], efforts[name])
            await opened[name].start()
        for backend in map(before.__getitem__, kept):
            if config.models[backend.name].urls != backend.config.urls:
                await backend.ask_at(config.models[backend.name].urls)
                moved.append(backend)
    except BaseException:
        for backend in opened.values():
            await backend.close()
        for backend in moved:
            await backend.ask_at(backend.config.urls)
        raise
    for name in kept:
        before[name].config, before[name].efforts = config.models[name], efforts[name]
    _say_what_waits(gateway.config, config)
    heeded = replace(gateway.config, models=config.models, budgets=config.budgets)
    gateway.change(heeded, {name: opened.get(name) or before[name] for name in config.models})


def _can_stay(before: ModelConfig, after: ModelConfig) -> bool:
    """Whether a model's engine is what it would be, but for where its upstreams are."""
    if not (before.urls and after.urls):
        return _needs(before) == _needs(after)
    return _needs(replace(before, urls=after.urls)) == _needs(after)


def _needs(config: ModelConfig) -> tuple[object, ...]:
    return config.model, config.max_concurrent, engine_config(config)


def _say_what_waits(before: GatewayConfig, after: GatewayConfig) -> None:
    values = asdict(after)
    changed = [name for name, value in asdict(before).items() if name not in HEEDED and value != values[name]]
    if changed:
        logger.warning("%s: heeded when the gateway is started again", ", ".join(changed))
