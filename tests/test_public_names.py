"""What `from elastic_reasoning import ...` offers: each name from the module that it lives in."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import elastic_reasoning
from elastic_reasoning import _HOMES

HOMES = {name: f"elastic_reasoning.{module}" for module, names in _HOMES.items() for name in names}


def shown_to_type_checkers() -> dict[str, str]:
    """Names by module, as the imports say that only type checkers read."""
    tree = ast.parse(Path(elastic_reasoning.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "importlib"]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_the_three_lists_of_public_names_are_one():
    assert list(HOMES) == list(dict.fromkeys(name for names in _HOMES.values() for name in names))  # none twice
    assert sorted(elastic_reasoning.__all__) == sorted(HOMES)
    assert shown_to_type_checkers() == HOMES


@pytest.mark.parametrize("name", elastic_reasoning.__all__)
def test_every_public_name_has_its_home(name):
    value = getattr(elastic_reasoning, name)
    assert value is getattr(import_module(HOMES[name]), name)
    assert getattr(value, "__module__", HOMES[name]).startswith(HOMES[name].rpartition(".")[0])


def test_what_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'Budgets'"):
        _ = elastic_reasoning.Budgets
