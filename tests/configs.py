"""Configurations by the names of their options, as a recipe and flags have them.

changed(TrainConfig(), task="math500", budgets=("8+20",), lora=Lora(rank=8))
"""

from dataclasses import is_dataclass
from typing import Any, TypeVar

from elastic_reasoning.core.configuration import values_of, with_values
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.training.config import TrainConfig

Config = TypeVar("Config")


def changed(config: Config, **options: Any) -> Config:
    """A configuration with other values; a group that is not inline is given whole."""
    given: dict[str, Any] = {}
    for name, value in options.items():
        given |= (
            {f"{name}.{key}": each for key, each in values_of(value).items()} if is_dataclass(value) else {name: value}
        )
    values = values_of(config)
    assert not given.keys() - values.keys()
    return with_values(config, values | given)


def train_config(**options: Any) -> TrainConfig:
    """A training run."""
    return changed(TrainConfig(), **options)


def sweep_config(**options: Any) -> SweepConfig:
    """A sweep."""
    return changed(SweepConfig(), **options)
