"""One hypothesis profile for all tests: the same examples in every run, and no timing assertions.

Tests of real peers note what they have counted (`seen`), which is told at the end of a run.
"""

import signal
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("fixed")

# A shell that runs the tests in the background ignores interrupts, and so would what tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


SEEN = pytest.StashKey[list[str]]()


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note what a test of a real peer has counted, to be told at the end."""
    lines = request.config.stash.setdefault(SEEN, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash.get(SEEN, [])
    if lines:
        terminalreporter.section("seen on real peers")
    for line in lines:
        terminalreporter.write_line(line)
