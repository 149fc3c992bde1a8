"""Upstreams on loopback that write with the tokenizer of mini-e1, and gateways before them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from fake_servers import FakeModel
from serving.gateways import listening

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="


def fake_mini(**settings: Any) -> FakeModel:
    """A scripted model with the tokenizer of mini-e1."""
    return FakeModel(load_template("mini-e1")[1], **{"context": 512, "ends_in_thinking": False, **settings})


@contextmanager
def before(*urls: str, model: Mapping[str, Any] | None = None, **settings: Any) -> Iterator[str]:
    """The root URL of a gateway before these upstreams of mini-e1, with these settings of the model and of its own."""
    models = {"mini-e1": {"urls": list(urls), "model": "fake", "tokenizer": "mini-e1", **(model or {})}}
    with listening(open_gateway(make_config({"models": models, **settings}))) as root:
        yield root


def chat(**settings: Any) -> dict[str, Any]:
    """A request that thinks 8 tokens and answers with 12 at the most."""
    messages = [{"role": "user", "content": QUESTION}]
    return {"model": "mini-e1", "messages": messages, "thinking_budget": 8, "solution_budget": 12, **settings}
