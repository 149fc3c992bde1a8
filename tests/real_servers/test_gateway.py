"""Official clients before a gateway before a real server."""

from collections.abc import Iterator

import pytest

from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from real_servers.serving import Served as Upstream
from serving.clients import CLAIMS, QUESTION, Claim, Served
from serving.gateways import listening


@pytest.fixture(scope="module")
def served(mini: Upstream) -> Iterator[Served]:
    model = {"urls": [mini.url], "model": mini.model, "tokenizer": mini.tokenizer}
    with listening(open_gateway(make_config({"models": {"mini": model}}))) as url:
        yield Served(url, "mini", QUESTION)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_official_clients_find_what_they_look_for(claim: Claim, served: Served) -> None:
    claim(served)
