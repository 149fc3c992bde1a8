"""The gateway as a process: it listens, and ends in order."""

import asyncio
import gc
import ipaddress
import resource
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.app import new_app
from elastic_reasoning.serving.config import GatewayConfig
from elastic_reasoning.serving.connections import Connection, for_connections
from elastic_reasoning.serving.gateway import Gateway, open_gateway
from elastic_reasoning.serving.logs import write_logs
from elastic_reasoning.serving.reload import Reloader
from elastic_reasoning.serving.warm_up import keep_up

SPARE_FILES = 256
"""Files that are open beside connections."""
CLOSE_SECONDS = 5
"""How long connections may take to close when nothing is under way any more."""


def serve(read: Callable[[], GatewayConfig], file: Path | None = None) -> int:
    """Serve until the process is told to end.

    Args:
        read: makes the configuration, and makes it anew when its file has changed or a SIGHUP comes.
        file: that it is made of, if it is.

    Raises:
        ElasticError: a model cannot be opened, or the address is taken.
    """
    config = read()
    _check_exposure(config)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    write_logs(config.log_prompts)
    listening = _listen(config.host, config.port)
    with listening:
        gateway = open_gateway(config)
        gc.collect()
        gc.freeze()  # what is there now stays: to look through it again and again would hold up every stream
        host, port = listening.getsockname()[:2]
        print(f"elastic: serving {', '.join(gateway.backends)} at http://{host}:{port}/v1", flush=True)
        Server(gateway, Reloader(gateway, read, file)).run(sockets=[listening])
    return 0


def server_config(gateway: Gateway) -> uvicorn.Config:
    """How uvicorn serves a gateway: within its bounds, and those of the process, of which half is for upstreams."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = gateway.config.max_connections if most == resource.RLIM_INFINITY else (most - SPARE_FILES) // 2
    connection: Any = partial(Connection, gateway.config, max(1, min(gateway.config.max_connections, room)))
    return uvicorn.Config(
        for_connections(new_app(gateway)),
        http=connection,
        ws="none",
        log_config=None,  # logs are the process's
        access_log=False,
        lifespan="on",
        timeout_keep_alive=round(gateway.config.keep_alive_seconds),
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )


class Server(uvicorn.Server):
    """Ends in order when it is told to: new requests are refused, those under way go on for `drain_seconds`.

    Told a second time, it ends at once.

    Args:
        gateway: what it serves.
        reloader: reads its configuration again.
    """

    def __init__(self, gateway: Gateway, reloader: Reloader) -> None:
        super().__init__(server_config(gateway))
        self._gateway, self._reloader = gateway, reloader
        self._draining: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._learning: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGHUP, self._reloader.tell)
        await super().startup(sockets)
        self._watching = asyncio.create_task(self._reloader.watch())
        self._learning = asyncio.create_task(keep_up(self._gateway))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Told by a signal, in the thread that serves."""
        if self._gateway.is_draining or self._loop is None:
            self.should_exit = self.force_exit = True
        else:
            self._gateway.is_draining = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._draining = asyncio.ensure_future(self._gateway.drain())
        self._draining.add_done_callback(self._exit)

    def _exit(self, draining: asyncio.Task[None]) -> None:
        self.should_exit = True


def _check_exposure(config: GatewayConfig) -> None:
    if config.keys or config.allow_without_keys or is_loopback(config.host):
        return
    raise UsageError(
        f"--host {config.host}: others could ask, and no keys are needed; give --keys FILE, listen at 127.0.0.1, or "
        "say --allow_without_keys"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be listened at ({error.strerror}): choose another --port") from None
