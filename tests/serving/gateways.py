"""Gateways in this process, on a free port of this machine, for tests that speak to them as clients do."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from elastic_reasoning.serving.gateway import Gateway
from elastic_reasoning.serving.run import server_config


@contextmanager
def listening(gateway: Gateway) -> Iterator[str]:
    """The root URL at which a gateway answers, until the block ends."""
    with running(gateway) as (url, _):
        yield url


@contextmanager
def running(gateway: Gateway, send_bytes: int | None = None) -> Iterator[tuple[str, uvicorn.Server]]:
    """The same, and the server itself; `send_bytes` is what the system keeps for a client that does not read."""
    server = uvicorn.Server(server_config(gateway))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if send_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
        finally:
            server.should_exit = True
            thread.join()
