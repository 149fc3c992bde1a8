import re
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.config import GatewayConfig, ModelConfig, make_config

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"


def test_the_page_has_every_key_of_the_gateways_file() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## The gateway's file\n")[2].partition("\n## ")[0]
    for table, config in zip(section.split("Of a model:"), (GatewayConfig, ModelConfig), strict=True):
        cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
        named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
        assert sorted(named) == sorted(config.__struct_fields__)


@pytest.mark.parametrize(
    "values",
    [
        {"port": 99999},
        {"port": -1},
        {"max_running": 0},
        {"max_waiting": -1},
        {"max_body_bytes": 0},
        {"max_connections": 0},
        {"max_prompt_tokens": 0},
        {"write_seconds": -1},
        {"drain_seconds": nan},
        {"head_seconds": inf},
    ],
    ids=str,
)
def test_what_no_gateway_can_keep_is_refused(values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(UsageError, match=f"{name} .*must be"):
        make_config({"models": {"mini": {}}, **values})


def test_a_model_is_asked_at_least_once_at_a_time() -> None:
    with pytest.raises(UsageError, match="max_concurrent 0: must be 1 or more"):
        make_config({"models": {"mini": {"max_concurrent": 0}}})
