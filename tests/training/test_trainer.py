from dataclasses import dataclass, field
from pathlib import Path

import pytest

from elastic_reasoning.training.trainer import checkpointing

trl = pytest.importorskip("trl")


@dataclass
class Older:
    gradient_checkpointing: bool = True


@dataclass
class Newer(Older):
    activation_checkpointing: bool | None = field(default=None)


@pytest.mark.parametrize("on", [True, False])
def test_checkpointing_is_switched_by_the_name_that_transformers_has(on: bool) -> None:
    assert checkpointing(Older, on) == {"gradient_checkpointing": on}
    assert checkpointing(Newer, on) == {"activation_checkpointing": on}


@pytest.mark.parametrize("kind", ["GRPOConfig", "SFTConfig"])
@pytest.mark.parametrize("on", [True, False])
def test_the_installed_trl_is_switched_without_a_warning(kind: str, on: bool, tmp_path: Path) -> None:
    arguments = getattr(trl, kind)
    made = arguments(output_dir=str(tmp_path), use_cpu=True, bf16=False, **checkpointing(arguments, on))
    assert made.gradient_checkpointing is on
