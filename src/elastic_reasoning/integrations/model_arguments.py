"""The arguments of a model of lm-evaluation-harness or inspect_ai, which turn what looks like a number into one."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_origin

import msgspec

from elastic_reasoning.core.configuration import leaves, values_of, with_values
from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.strategies import find_strategy, known_options
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.opening import check_models_by_name

WORDS: Mapping[str, Any] = {"true": True, "false": False, "none": None, "null": None}
"""What a text may stand for where no text belongs, in small letters."""


def parted(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model's arguments that are its engine's, by the names of the flags, as `vllm.max_model_len`; and the others."""
    known = _engine_names()
    of_engine = {name: value for name, value in given.items() if name in known}
    return of_engine, {name: value for name, value in given.items() if name not in known}


def _engine_names() -> set[str]:
    return {*values_of(EngineConfig())} - {"name"}  # which goes by `engine`


def engine_config(config: EngineConfig, given: Mapping[str, Any], model: str, flag: str) -> EngineConfig:
    """How an engine is opened, looked through as far as names tell.

    Args:
        config: what the model's own arguments say of it.
        given: others that are an engine's, see `parted`.
        model: that it is opened for.
        flag: how a server is given.

    Raises:
        UsageError: a value is not of its kind, or does not go with the engine.
        ElasticError: the engine cannot run such a model.
    """
    kinds = {leaf.key: leaf.kind for leaf in leaves(config)}
    read = {name: _read(name, value, kinds[name]) for name, value in given.items()}
    config = with_values(config, {**values_of(config), **read})
    config.check(flag)
    if model or config.name != "openai":
        check_models_by_name(config, [model])
    return config


def _read(name: str, value: Any, kind: Any) -> Any:
    """A value as its field has it; one that is no text may be written as JSON, and texts with commas between them."""
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):  # as a tool reads a number
        value = str(value)
    if isinstance(value, str) and kind is not str:
        try:
            value = WORDS[value.lower()] if value.lower() in WORDS else json.loads(value)
        except ValueError:
            value = value.split(",") if get_origin(kind) is tuple else value
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name} {value!r}: {error}") from None


def options(given: Mapping[str, Any], strategy: str, others: Iterable[str]) -> Options:
    """What a strategy is told; `others` are the names of the model's other arguments.

    Raises:
        UsageError: no argument has that name.
        StrategyError: it means nothing to the strategy, or its value is not of its kind.
    """
    known = known_options()
    for name in given:
        if name not in known:
            raise UsageError(unknown("argument of the model", name, {*known, *others, *_engine_names()}))
    return find_strategy(strategy, given).restrict(given)


def mapping(name: str, given: Any, how: str) -> dict[str, Any]:
    """An argument that is a mapping, or one written as JSON; `how` it is written is for the error.

    Raises:
        UsageError: it is neither.
    """
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise UsageError(f"{name} {given!r}: must be a mapping; {how}")
    return dict(found)
