"""What a request says of tokens, seconds and money, under whatever names.

    read_limits({"reasoning": {"effort": "high"}, "max_tokens": 4096})
    # Limits(effort="high", max_tokens=4096, names={"effort": "reasoning.effort", "max_tokens": "max_tokens"})

Every name of the table (`elastic_reasoning.serving.names`) is read at every endpoint, and within a literal `extra_body`
too. Names that disagree are refused, as is a value that cannot be; what the table does not know is somebody else's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options
from elastic_reasoning.core.strategies import find_strategy, known_options
from elastic_reasoning.core.wire import STRATEGY, refuse_misspelt
from elastic_reasoning.serving.asked import Limits
from elastic_reasoning.serving.errors import bad_request
from elastic_reasoning.serving.names import OURS, OWN, TREE, Name, Tree, shown

EXTRA = "extra_body"
"""Some clients send what Python's call so as it is."""


def read_limits(body: Mapping[str, Any]) -> Limits:
    """What a body says of limits, under whatever names.

    Raises:
        ApiError: 400 where a value cannot be, two names disagree, or a name is misspelt.
    """
    options = (STRATEGY, *known_options())
    found: dict[str, tuple[Any, str, Any]] = {}
    for name, path, raw in _said(body, TREE, "", options):
        said = name.read(path, raw) if isinstance(name, Name) else (name, raw)
        if said is None:
            continue
        part, value = said
        before, other, other_raw = found.setdefault(part, (value, path, raw))
        if before != value:
            message = f"{other} {shown(other_raw)} and {path} {shown(raw)} disagree: give one of them"
            raise bad_request(message, path)
    told = {part: found.pop(part) for part in options if part in found}
    strategy, chosen = _strategy(told)
    return Limits(
        **{part: value for part, (value, _, _) in found.items()},
        strategy=strategy,
        options=chosen,
        names={part: path for part, (_, path, _) in found.items()},
    )


def _said(
    values: Mapping[str, Any], tree: Tree, path: str, options: Sequence[str]
) -> Iterator[tuple[Name | str, str, Any]]:
    """Each name of the table and each option that has a value, with its path and the value."""
    is_ours = path.removeprefix(f"{EXTRA}.") in OURS
    own = (*OWN, *options) if is_ours else ()
    _refuse_misspelt((key for key in values if key not in tree and key not in own), own or tree, path)
    for key, value in values.items():
        place = path + key
        branch = TREE if place == EXTRA else tree.get(key)
        if value is None:
            continue
        if isinstance(branch, Name):
            yield branch, place, value
        elif branch is None:
            if key in own:
                yield key, place, value
        elif isinstance(value, Mapping):
            yield from _said(value, branch, f"{place}.", options)
        else:
            raise bad_request(f"{place} {shown(value)}: must be an object, as {{{next(iter(branch))}: ...}}", place)


def _refuse_misspelt(names: Iterable[str], known: Iterable[str], path: str) -> None:
    """A misspelt name would leave an answer without its bound, and nobody would know."""
    try:
        refuse_misspelt(names, known)
    except UsageError as error:
        where = path.rstrip(".")
        raise bad_request(f"{where}: {error}" if where else str(error), where) from None


def _strategy(told: Mapping[str, tuple[Any, str, Any]]) -> tuple[str | None, Options]:
    """How the tokens are to be spent, as far as it is said."""
    if not told:
        return None, Options()
    strategy, path, _ = told.get(STRATEGY, (DEFAULT_STRATEGY, next(path for _, path, _ in told.values()), None))
    if not isinstance(strategy, str):
        raise bad_request(f"{path} {shown(strategy)}: must be the name of a strategy", path)
    try:
        options = {name: value for name, (value, _, _) in told.items() if name != STRATEGY}
        return strategy, find_strategy(strategy, options).restrict(options)
    except ElasticError as error:
        raise bad_request(str(error), path) from None
