import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from elastic_reasoning.training.trl.trainer import checkpointing, quietly

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


@pytest.mark.parametrize("name", ["is_gradient_checkpointing", "gradient_checkpointing_enable"])
def test_old_names_that_trl_uses_are_not_for_the_user_to_read(name: str) -> None:
    with quietly():
        warnings.warn(
            f"`{name}` is deprecated and will be removed in v6. Use another instead.", FutureWarning, stacklevel=1
        )
        with pytest.raises(FutureWarning, match="something else"):
            warnings.warn("`something else` is deprecated", FutureWarning, stacklevel=1)
