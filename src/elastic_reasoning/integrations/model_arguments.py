"""The arguments of a model of lm-evaluation-harness, which turns what looks like a number into one."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.core.request import Options

_DEFAULTS = asdict(Options())


def options(given: Mapping[str, Any], others: Iterable[str]) -> Options:
    """What a strategy is told; `others` are the names of the model's other arguments.

    Raises:
        UsageError: no argument has that name.
    """
    for name in given:
        if name not in _DEFAULTS:
            raise UsageError(unknown("argument of the model", name, {*_DEFAULTS, *others}))
    texts = {field.name for field in fields(Options) if field.type is str}
    values: dict[str, Any] = {name: str(value) if name in texts else value for name, value in given.items()}
    return Options(**values)


def changed(chosen: Options) -> dict[str, Any]:
    """The options that are not at their defaults."""
    return {name: value for name, value in asdict(chosen).items() if value != _DEFAULTS[name]}


def mapping(name: str, given: Any) -> dict[str, Any]:
    """An argument that is a mapping, or one written as JSON.

    Raises:
        UsageError: it is neither.
    """
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise UsageError(
            f"{name} {given!r}: must be a mapping; give all of the model's arguments as JSON, as "
            f'--model_args \'{{"pretrained": "...", "budget": "512+256", "{name}": {{"enable_thinking": false}}}}\''
        )
    return dict(found)
