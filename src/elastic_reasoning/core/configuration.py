"""What fields of a configuration say beside their values: whether they decide results, and their name outside Python.

    @dataclass(frozen=True)
    class EngineConfig:
        dtype: str = "auto"
        max_rows: int = field(default=64, metadata=EXECUTION)

    deciding(EngineConfig())        # {"dtype": "auto"}

A group is a configuration within another one. Its fields go by the group's name and their own, as `sampling.seed`;
those of an `INLINE` group by their own name alone, but for `name`, which goes by the group's. So a recipe, a flag and a
manifest say `engine` and `dtype` for what Python calls `config.engine.name` and `config.engine.dtype`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, get_type_hints

Config = TypeVar("Config")

EXECUTION: Mapping[str, bool] = {"decides": False}
"""Of a field that says how results are made, and not what comes out of it."""
RESOLVED: Mapping[str, bool] = {"decides": False}
"""Of a field whose effect stands elsewhere among what decides, as that of a limit in the list of problems."""
INLINE: Mapping[str, bool] = {"inline": True}
"""Of a group whose fields go by their own names."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that is no group.

    Attributes:
        key: its name outside Python, as `sampling.seed`.
        kind: its type.
        default: its value in the configuration that was looked at.
        owner: the class that it is a field of.
        name: its name there.
    """

    key: str
    kind: Any
    default: Any
    owner: Any
    name: str


def leaves(config: Any, prefix: str = "") -> Iterator[Leaf]:
    """The fields of a configuration, those of its groups too."""
    hints = get_type_hints(type(config))
    for field in fields(config):
        value, key = getattr(config, field.name), prefix + field.name
        if not is_dataclass(value):
            yield Leaf(key, hints[field.name], value, type(config), field.name)
            continue
        for leaf in leaves(value, prefix if _is_inline(field) else f"{key}."):
            yield replace(leaf, key=key) if _is_inline(field) and leaf.key == f"{prefix}name" else leaf


def values_of(config: Any) -> dict[str, Any]:
    """The values of a configuration by their names outside Python."""
    return {leaf.key: leaf.default for leaf in leaves(config)}


def with_values(config: Config, values: Mapping[str, Any], prefix: str = "") -> Config:
    """A configuration with other values, by their names outside Python; every field needs one."""
    given: dict[str, Any] = {}
    for field in fields(config):  # type: ignore[arg-type]
        value, key = getattr(config, field.name), prefix + field.name
        if not is_dataclass(value):
            given[field.name] = values[key]
        elif _is_inline(field):
            named = {f"{prefix}name": values[key]} if key in values else {}
            given[field.name] = with_values(value, {**values, **named}, prefix)
        else:
            given[field.name] = with_values(value, values, f"{key}.")
    return type(config)(**given)


def deciding(config: Any) -> dict[str, Any]:
    """The values that decide results, by their names outside Python; a group that is not inline is a mapping."""
    values: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if not field.metadata.get("decides", True):
            continue
        if not is_dataclass(value):
            values[field.name] = value
        elif _is_inline(field):
            values |= {field.name if name == "name" else name: each for name, each in deciding(value).items()}
        else:
            values[field.name] = deciding(value)
    return values


def _is_inline(field: "Field[Any]") -> bool:
    return bool(field.metadata.get("inline"))
