"""Servers that tests share, and what the tests have counted, printed at the end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from live_server import running
from real_servers.serving import KINDS, MARKS, MODULES, Served, Start

"""What tests have counted, in the order of their ends."""


@pytest.fixture(scope="session", params=[pytest.param(kind, marks=getattr(pytest.mark, MARKS[kind])) for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    """What kind of server it is."""
    pytest.importorskip(MODULES[request.param], reason=f"{MODULES[request.param]} is not installed")
    return str(request.param)


@pytest.fixture(scope="session")
def start(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """(model, arguments) to a server of the kind; the same server for the same arguments."""
    started: dict[tuple[str, ...], Served] = {}
    with ExitStack() as stack:

        def start(model: str, *arguments: str) -> Served:
            key = (model, *arguments)
            if key not in started:
                started[key] = KINDS[kind](model, tmp_path_factory.mktemp("server"), *arguments)
                stack.enter_context(running(started[key]))
            return started[key]

        yield start


@pytest.fixture(scope="session")
def mini(start: Start) -> Served:
    """The shipped model."""
    return start("mini")


@pytest.fixture(scope="session")
def post() -> Callable[[Served, str, Any], tuple[int, Any]]:
    """(server, path, body) to the status of the answer and what it says."""

    def post(server: Served, path: str, body: Any) -> tuple[int, Any]:
        with httpx2.Client(timeout=600) as client:
            response = client.post(f"{server.root}{path}", json=body)
        return response.status_code, response.json()

    return post
