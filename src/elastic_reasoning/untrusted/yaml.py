"""YAML that others wrote, looked through before anything is made of it.

    check_yaml(Path("recipe.yaml").read_text())
    convert_known(load_yaml(text), Config)      # as a type, in which a key that it does not know is an error

A few lines of YAML can stand for gigabytes, by aliases of aliases. What is too large, too deep, or says one thing twice
is refused from its events alone, of which nothing is built.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec.inspect
import yaml

from elastic_reasoning.core.printable import one_line
from elastic_reasoning.untrusted.json import Fault, MalformedError, convert

Kind = TypeVar("Kind")

MOST_LETTERS = 2**18
MOST_VALUES = 10_000
"""Aliases count with all that they stand for."""
MOST_DEPTH = 64
MOST_SHOWN = 150
"""Letters of a key in a message."""


@dataclass(slots=True)
class _Open:
    """A list or mapping that is not read to its end.

    Attributes:
        keys: those of a mapping so far; `None` for a list.
        wants_key: whether the next value is a key.
        anchor: the name that aliases may call it by.
        num_before: values before it.
    """

    keys: set[str] | None
    anchor: str | None
    num_before: int
    wants_key: bool = field(default=True)


def check_yaml(text: str) -> None:
    """Refuse YAML that is malformed, or that no recipe would be.

    Raises:
        MalformedError: with the line, where one can be named.
    """
    if len(text) > MOST_LETTERS:
        raise MalformedError(f"{len(text):,} letters, of {MOST_LETTERS:,} that a recipe may have", Fault.VALUE)
    try:
        _check_events(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}: "
        problem = getattr(error, "problem", None) or next(iter(str(error).splitlines()), "")
        raise MalformedError(f"{where}not YAML ({problem})", Fault.SYNTAX) from None


def _check_events(text: str) -> None:
    opened: list[_Open] = []
    sizes: dict[str, int] = {}
    num_values = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.CollectionEndEvent):
            ended = opened.pop()
            if ended.anchor:
                sizes[ended.anchor] = num_values - ended.num_before
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        if opened:
            _check_key(opened[-1], event, line)
        if isinstance(event, yaml.AliasEvent) and any(each.anchor == event.anchor for each in opened):
            raise MalformedError(f"line {line}: *{event.anchor} stands within what it stands for", Fault.VALUE)
        num_values += sizes.get(event.anchor or "", 1) if isinstance(event, yaml.AliasEvent) else 1
        if num_values > MOST_VALUES:
            raise MalformedError(f"line {line}: more than {MOST_VALUES:,} values, aliases among them", Fault.VALUE)
        if isinstance(event, yaml.CollectionStartEvent):
            keys: set[str] | None = set() if isinstance(event, yaml.MappingStartEvent) else None
            opened.append(_Open(keys, event.anchor, num_values - 1))
            if len(opened) > MOST_DEPTH:
                raise MalformedError(f"line {line}: nested deeper than {MOST_DEPTH}", Fault.VALUE)


def _check_key(within: _Open, event: yaml.NodeEvent, line: int) -> None:
    if within.keys is None:
        return
    if within.wants_key and isinstance(event, yaml.ScalarEvent):
        if event.value in within.keys and event.value != "<<":
            raise MalformedError(f"line {line}: {event.value} is given twice", Fault.VALUE)
        within.keys.add(event.value)
    within.wants_key = not within.wants_key


def load_yaml(text: str) -> Any:
    """YAML as plain data.

    Raises:
        MalformedError: it is malformed, or too large.
    """
    check_yaml(text)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError of a date that is none, or of too many digits
        problem = getattr(error, "problem", None) or str(error)
        raise MalformedError(f"not YAML ({problem})", Fault.SYNTAX) from None


def convert_known(value: Any, kind: type[Kind]) -> Kind:
    """Plain data as a type that msgspec knows, in which a key that no field has is an error.

    Raises:
        MalformedError: it is something else; for a key that is not known, with the nearest that is.
    """
    _check_keys(value, msgspec.inspect.type_info(kind), "")
    return convert(value, kind)


def _check_keys(value: Any, kind: msgspec.inspect.Type, place: str) -> None:
    """Refuse keys that no field has: a misspelt one would leave its field at the default, and nobody would know."""
    if isinstance(kind, msgspec.inspect.UnionType):
        for each in kind.types:
            _check_keys(value, each, place)
    elif isinstance(kind, (msgspec.inspect.StructType, msgspec.inspect.DataclassType)) and isinstance(value, Mapping):
        known = {each.encode_name: each.type for each in kind.fields}
        for key, part in value.items():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                shown = one_line(f"{place}{key}", most=MOST_SHOWN)
                raise MalformedError(f"{shown}: unknown key; {hint}", Fault.VALUE)
            _check_keys(part, known[key], f"{place}{key}.")
    elif isinstance(kind, msgspec.inspect.DictType) and isinstance(value, Mapping):
        for key, part in value.items():
            _check_keys(part, kind.value_type, f"{place}{key}.")
    elif isinstance(kind, msgspec.inspect.ListType) and isinstance(value, list):
        for number, part in enumerate(value):
            _check_keys(part, kind.item_type, f"{place}{number}.")
