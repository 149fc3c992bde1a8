"""Where a gateway may listen when anyone may ask."""

import pytest

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.run import is_loopback, serve


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback_is_reached_by_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.example", "localhost.example"])
def test_elsewhere_others_come(host: str) -> None:
    assert not is_loopback(host)


def test_without_keys_nobody_else_is_listened_to() -> None:
    config = make_config({"models": {"mini-e1": {}}, "host": "0.0.0.0"})
    with pytest.raises(UsageError, match=r"--host 0\.0\.0\.0: others could ask, and no keys are needed"):
        serve(lambda: config)
