"""Gateways in this process, on a free port of this machine, for tests that speak to them as clients do."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from elastic_reasoning.serving.app import new_app
from elastic_reasoning.serving.gateway import Gateway


@contextmanager
def listening(gateway: Gateway) -> Iterator[str]:
    """The root URL at which a gateway answers, until the block ends."""
    config = uvicorn.Config(new_app(gateway), log_level="error", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
