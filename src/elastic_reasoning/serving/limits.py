"""What a request says of tokens, seconds and money, under whatever names.

    read_limits({"reasoning": {"effort": "high"}, "max_tokens": 4096})
    # Limits(effort="high", max_tokens=4096, names={"effort": "reasoning.effort", "max_tokens": "max_tokens"})

Every name of the table (`elastic_reasoning.serving.names`) is read at every endpoint, and within a literal `extra_body`
too. Names that disagree are refused, as is a value that cannot be; what the table does not know is somebody else's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options
from elastic_reasoning.core.strategies import find_strategy, known_options
from elastic_reasoning.core.wire import LIMITS, STRATEGY, refuse_misspelt
from elastic_reasoning.serving.asked import Limits
from elastic_reasoning.serving.errors import ApiError, bad_request
from elastic_reasoning.serving.names import OURS, PLACES, TABLE, Name, shown

EXTRA = "extra_body"
ROOTS = ("", f"{EXTRA}.")
"""Some clients send what Python's call `extra_body` as it is."""


def read_limits(body: Mapping[str, Any]) -> Limits:
    """What a body says of limits, under whatever names.

    Raises:
        ApiError: 400 where a value cannot be, two names disagree, or a name is misspelt.
    """
    _refuse_misspelt(body)
    found: dict[str, tuple[Any, str, Any]] = {}
    for name, path, raw in _said(body):
        said = name.read(path, raw)
        if said is None:
            continue
        part, value = said
        before, other, other_raw = found.setdefault(part, (value, path, raw))
        if before != value:
            raise _disagreement(other, other_raw, path, raw)
    strategy, options = _strategy(body)
    return Limits(
        **{part: value for part, (value, _, _) in found.items()},
        strategy=strategy,
        options=options,
        names={part: path for part, (_, path, _) in found.items()},
    )


def _said(body: Mapping[str, Any]) -> Iterator[tuple[Name, str, Any]]:
    """Each name of the table that has a value, with its path and the value."""
    for root in ROOTS:
        if root and body.get(EXTRA) is None:
            continue
        for name in TABLE:
            path = root + name.path
            value = _value(body, path)
            if value is not None:
                yield name, path, value


def _value(body: Mapping[str, Any], path: str) -> Any:
    """What stands there; `None` where nothing does."""
    value: Any = body
    keys = path.split(".")
    for depth, key in enumerate(keys):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            parent = ".".join(keys[:depth])
            raise bad_request(f"{parent} {shown(value)}: must be an object, as {{{key}: ...}}", parent)
        value = value.get(key)
    return value


def _strategy(body: Mapping[str, Any]) -> tuple[str | None, Options]:
    """How the tokens are to be spent, as far as it is said."""
    given: dict[str, tuple[Any, str]] = {}
    for place in (root + place for root in ROOTS for place in OURS):
        for key in (STRATEGY, *known_options()):
            value = _value(body, place + key)
            if value is None:
                continue
            before, other = given.setdefault(key, (value, place + key))
            if before != value:
                raise _disagreement(other, before, place + key, value)
    strategy, path = given.pop(STRATEGY, (None, STRATEGY))
    if strategy is None and not given:
        return None, Options()
    strategy = DEFAULT_STRATEGY if strategy is None else strategy
    if not isinstance(strategy, str):
        raise bad_request(f"{path} {shown(strategy)}: must be the name of a strategy", path)
    try:
        options = {key: value for key, (value, _) in given.items()}
        return strategy, find_strategy(strategy, options).restrict(options)
    except ElasticError as error:
        raise bad_request(str(error), path) from None


def _refuse_misspelt(body: Mapping[str, Any]) -> None:
    """A misspelt name of ours would leave an answer without its bound, and nobody would know."""
    ours = (*LIMITS, "max_cost", STRATEGY, *known_options())
    for root in ROOTS:
        for place in PLACES:
            path = f"{root}{place}".rstrip(".")
            values = _value(body, path) if path else body
            if not isinstance(values, Mapping):
                continue
            known = PLACES[place]
            try:
                refuse_misspelt(
                    (key for key in values if key not in known and key not in ours), ours if place in OURS else known
                )
            except UsageError as error:
                raise bad_request(f"{path}: {error}" if path else str(error), path) from None


def _disagreement(path: str, value: Any, other: str, other_value: Any) -> ApiError:
    return bad_request(f"{path} {shown(value)} and {other} {shown(other_value)} disagree: give one of them", other)
