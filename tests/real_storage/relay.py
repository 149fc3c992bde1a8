"""A wire to a server that can be cut and mended: connections to a port of this machine, passed on to another one."""

import socket
from contextlib import suppress
from threading import Lock, Thread
from typing import Self


class Relay:
    """Passes on what comes to its port until it is cut. It keeps its port when it is mended."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []
        self.port = 0
        self.mend()

    def mend(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._hold(listener)
        self._start(self._accept, listener)

    def cut(self) -> None:
        """Close every connection, and take no other."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _hold(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._sockets += sockets

    def _start(self, work, *given: socket.socket) -> None:  # type: ignore[no-untyped-def]
        thread = Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._hold(near, far)
                self._start(self._pass_on, near, far)
                self._start(self._pass_on, far, near)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while content := one.recv(1 << 16):
                other.sendall(content)
            other.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *given: object) -> None:
        self.cut()
