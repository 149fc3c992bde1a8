"""The arguments of a model of lm-evaluation-harness or inspect_ai, which turn what looks like a number into one."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.strategies import find_strategy, known_options


def options(given: Mapping[str, Any], strategy: str, others: Iterable[str]) -> Options:
    """What a strategy is told; `others` are the names of the model's other arguments.

    Raises:
        UsageError: no argument has that name.
        StrategyError: it means nothing to the strategy, or its value is not of its kind.
    """
    known = known_options()
    for name in given:
        if name not in known:
            raise UsageError(unknown("argument of the model", name, {*known, *others}))
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
