"""Official clients before a gateway before real vLLM, which has the plug-in."""

from collections.abc import Iterator

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")
pytest.importorskip("anthropic", reason="anthropic is not installed")

from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from real_vllm.serving import Server
from serving.clients import CLAIMS, QUESTION, Claim, Served
from serving.gateways import listening

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def served(mini: Server) -> Iterator[Served]:
    model = {"urls": [mini.url], "model": mini.model, "tokenizer": "mini"}
    with listening(open_gateway(make_config({"models": {"mini": model}}))) as url:
        yield Served(url, "mini", QUESTION)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_official_clients_find_what_they_look_for(claim: Claim, served: Served) -> None:
    claim(served)
