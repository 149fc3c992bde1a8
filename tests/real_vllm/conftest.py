"""Servers and engines that tests share, and what the tests have counted, printed at the end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.engines.loading import model_path
from real_vllm.same import make_unruly
from real_vllm.serving import TIGHT, Server, Start, serving

SEEN = pytest.StashKey[list[str]]()
"""What tests have counted, in the order of their ends."""


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """(model, arguments) to a server; the same server for the same arguments."""
    running: dict[tuple[str, ...], Server] = {}
    with ExitStack() as stack:

        def started(model: str, *arguments: str) -> Server:
            key = (model, *arguments)
            if key not in running:
                log = tmp_path_factory.mktemp("server") / "log"
                running[key] = stack.enter_context(serving(model_path(model), log, *arguments))
            return running[key]

        yield started


@pytest.fixture(scope="session")
def mini(start: Start) -> Server:
    """The shipped model with a tiny cache, without a reasoning parser."""
    return start("mini", *TIGHT)


@pytest.fixture(scope="session")
def parsing(start: Start) -> Server:
    """The shipped model with a reasoning parser; the scheduler has a process of its own."""
    return start("mini", *TIGHT, "--reasoning-parser=qwen3", "--distributed-executor-backend=mp")


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note what a test has counted."""
    lines = request.config.stash.setdefault(SEEN, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


@pytest.fixture(scope="session")
def unruly_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `make_unruly`."""
    return make_unruly(tmp_path_factory.mktemp("unruly") / "model")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash.get(SEEN, [])
    if lines:
        terminalreporter.section("seen on real vLLM")
    for line in lines:
        terminalreporter.write_line(line)
