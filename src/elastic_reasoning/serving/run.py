"""The gateway as a process: it listens, and ends in order."""

import socket

import uvicorn

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.app import new_app
from elastic_reasoning.serving.config import GatewayConfig
from elastic_reasoning.serving.gateway import open_gateway


def serve(config: GatewayConfig) -> int:
    """Serve until the process is told to end.

    Raises:
        ElasticError: a model cannot be opened, or the address is taken.
    """
    listening = _listen(config.host, config.port)
    with listening:
        gateway = open_gateway(config)
        host, port = listening.getsockname()[:2]
        print(f"elastic: serving {', '.join(gateway.backends)} at http://{host}:{port}/v1", flush=True)
        server = uvicorn.Server(uvicorn.Config(new_app(gateway), log_level="warning", access_log=False, lifespan="on"))
        server.run(sockets=[listening])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be listened at ({error.strerror}): choose another --port") from None
