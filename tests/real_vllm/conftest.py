"""Servers and engines that tests share, and what the tests have counted, printed at the end."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from elastic_reasoning.engines.loading import model_path
from real_vllm.same import make_unruly
from real_vllm.serving import TIGHT, Server, Start, serving

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


@pytest.fixture(scope="session")
def unruly_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `make_unruly`."""
    return make_unruly(tmp_path_factory.mktemp("unruly") / "model")
