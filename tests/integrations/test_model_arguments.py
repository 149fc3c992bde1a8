"""What a model of another tool's is told of its engine: every setting there is, by the names of the flags."""

import inspect
import json
from typing import Any

import pytest

from elastic_reasoning.core.configuration import Leaf, leaves, values_of
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.strategies import known_options
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.loading import load
from elastic_reasoning.integrations.model_arguments import engine_config, parted
from elastic_reasoning.serving.backend import engine_config as engine_of_gateway
from elastic_reasoning.serving.config import ModelConfig

OTHERS: dict[str, Any] = {
    "dtype": "float32",
    "device": "cpu",
    "server.base_urls": ("http://127.0.0.1:1/v1",),
    "server.dialect": "vllm",
    "server.mode": "by-call",
    "ray.engine": "openai",
    "ray.workers": "1..2",
    "ray.spread": False,
}
"""Values other than the default where not any value does."""
OTHER_URL = ("http://127.0.0.1:2/v1",)
SETTINGS = [leaf for leaf in leaves(EngineConfig()) if leaf.key != "name"]
OF_OTHER_ENGINES = ("vllm.", "ray.", "server.concurrency")
"""What a gateway has no use for: it runs transformers itself, and says in max_concurrent how many it asks at once."""


def other(leaf: Leaf) -> Any:
    """A value that a field can have, other than its default wherever that is possible."""
    if leaf.key in OTHERS:
        return OTHERS[leaf.key]
    if isinstance(leaf.default, bool):
        return not leaf.default
    if isinstance(leaf.default, dict):
        return {"a": 1}
    return (leaf.default or 1) * 2 if "str" not in str(leaf.kind) else "other"


def config_with(given: dict[str, Any], name: str = "transformers") -> EngineConfig:
    base = EngineConfig(name, server=EngineConfig().server)
    return engine_config(base, given, "mini", "base_url=")


@pytest.mark.parametrize("leaf", SETTINGS, ids=lambda leaf: leaf.key)
def test_every_setting_can_be_given_as_text(leaf: Leaf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elastic_reasoning.integrations.model_arguments.check_models_by_name", lambda *_: None)
    monkeypatch.setattr(EngineConfig, "check", lambda *_: None)
    value = other(leaf)
    text = value if isinstance(value, str) else json.dumps(value)
    assert parted({leaf.key: text, "wait": "Wait"}) == ({leaf.key: text}, {"wait": "Wait"})
    assert values_of(config_with({leaf.key: text})) == values_of(EngineConfig()) | {leaf.key: value}


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("ray.workers", 4, "4"),  # as tools read a number
        ("server.base_urls", "http://127.0.0.1:1/v1", ("http://127.0.0.1:1/v1",)),
        ("server.base_urls", "http://127.0.0.1:1/v1,http://127.0.0.1:2/v1", OTHERS["server.base_urls"] + OTHER_URL),
    ],
)
def test_what_tools_make_of_a_value_is_understood(key: str, value: Any, read: Any) -> None:
    assert values_of(config_with({key: value}, "openai" if "server" in key else "ray"))[key] == read


@pytest.mark.parametrize("leaf", SETTINGS, ids=lambda leaf: leaf.key)
def test_python_and_a_gateway_can_say_it_too(leaf: Leaf) -> None:
    field = {"base_urls": "urls"}.get(leaf.key.removeprefix("server."), leaf.key.removeprefix("server."))
    if "." not in leaf.key:
        assert field in inspect.signature(load).parameters
    if not leaf.key.startswith(OF_OTHER_ENGINES):
        urls = {"urls": OTHERS["server.base_urls"]} if leaf.key.startswith("server.") else {}
        served = engine_of_gateway(ModelConfig(**{**urls, field: other(leaf)}))
        assert values_of(served)[leaf.key] == other(leaf)


def test_no_option_of_a_strategy_goes_by_the_name_of_a_setting() -> None:
    assert {leaf.key for leaf in SETTINGS} & {*known_options()} == set()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tensor_parallel_size": "0"}, "tensor_parallel_size 0: must be 1 or more"),
        ({"tensor_parallel_size": "two"}, "tensor_parallel_size 'two': Expected `int`"),
        ({"graphs": "perhaps"}, "graphs 'perhaps': Expected `bool`"),
        ({"server.mode": "fast"}, "mode 'fast': must be one of auto, one-pass, by-call"),
        ({"server.base_urls": ["http://127.0.0.1:1/v1"]}, "servers are asked by engine openai"),
    ],
)
def test_a_wrong_value_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ElasticError, match=message):
        config_with(given)


def test_devices_of_another_engine_are_refused() -> None:
    with pytest.raises(ElasticError, match=r"with engine my.py:f: it is of engine transformers"):
        config_with({"tensor_parallel_size": 2}, "my.py:f")
