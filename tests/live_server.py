"""A server in a process of its own, on a free port of this machine: started, waited for, ended and killed."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

START_SECONDS = 600


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class LiveServer:
    """A server that answers GET /health when it is ready. It keeps its port when it is started again.

    Attributes:
        health: what it answers when it is ready, where that is another path.

    Args:
        command: "{port}" in it stands for the port.
        log: what the server writes is appended to this file.
        environment: variables beside those of this process.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.root}/v1"
        self.health = "/health"
        self._command = [part.replace("{port}", str(self.port)) for part in command]
        self._log, self._environment = log, environment
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it, and do not wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env={**os.environ, **self._environment}, start_new_session=True
            )

    def wait(self) -> None:
        """Until it answers."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.root}{self.health}", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        pytest.fail(f"the server does not answer; its log ends with\n{self._log.read_text()[-4000:]}")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End its processes, all of which are in its own group."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._process.pid, how)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None


@contextmanager
def running(server: LiveServer) -> Iterator[None]:
    """It answers within the block, and is ended behind it."""
    server.launch()
    try:
        server.wait()
        yield
    finally:
        server.end()
