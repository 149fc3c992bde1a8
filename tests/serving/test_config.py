import re
from pathlib import Path

from elastic_reasoning.serving.config import GatewayConfig, ModelConfig

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"


def test_the_page_has_every_key_of_the_gateways_file() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## The gateway's file\n")[2].partition("\n## ")[0]
    for table, config in zip(section.split("Of a model:"), (GatewayConfig, ModelConfig), strict=True):
        cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
        named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
        assert sorted(named) == sorted(config.__struct_fields__)
