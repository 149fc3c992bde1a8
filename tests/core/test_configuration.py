from dataclasses import dataclass, field, replace

import pytest

from elastic_reasoning.core.configuration import EXECUTION, INLINE, deciding, leaves, with_values


@dataclass(frozen=True)
class Server:
    """Where a model is."""

    url: str = ""
    retries: int = field(default=3, metadata=EXECUTION)


@dataclass(frozen=True)
class Engine:
    """What answers."""

    name: str = "local"
    rows: int = field(default=8, metadata=EXECUTION)
    server: Server = field(default_factory=Server)


@dataclass(frozen=True)
class Run:
    """A run."""

    name: str = "first"
    engine: Engine = field(default_factory=lambda: Engine(rows=4), metadata=INLINE)
    spare: Server = field(default_factory=Server, metadata=EXECUTION)


def test_an_inline_group_lends_its_fields_and_its_name() -> None:
    found = {leaf.key: (leaf.default, leaf.kind, leaf.owner) for leaf in leaves(Run())}
    assert found == {
        "name": ("first", str, Run),
        "engine": ("local", str, Engine),
        "rows": (4, int, Engine),
        "server.url": ("", str, Server),
        "server.retries": (3, int, Server),
        "spare.url": ("", str, Server),
        "spare.retries": (3, int, Server),
    }


def test_a_configuration_is_built_from_its_names() -> None:
    values = {leaf.key: leaf.default for leaf in leaves(Run())}
    assert with_values(Run(), values) == Run()
    changed = {**values, "engine": "http", "rows": 1, "server.url": "x", "name": "second"}
    assert with_values(Run(), changed) == Run("second", Engine("http", 1, Server("x")))
    with pytest.raises(KeyError, match="rows"):
        with_values(Run(), {name: value for name, value in values.items() if name != "rows"})


def test_how_a_run_is_made_does_not_decide() -> None:
    assert deciding(Run()) == {"name": "first", "engine": "local", "server": {"url": ""}}
    assert deciding(Run()) == deciding(replace(Run(), engine=Engine(rows=7), spare=Server("elsewhere")))
    assert deciding(Run()) != deciding(Run(engine=Engine("http")))
