"""Docstrings of configurations that add fields to another one: the help texts of commands are read from them."""

from inspect import cleandoc
from typing import Any


def documented(config_class: type[Any], attributes: str) -> str:
    """The docstring of a configuration with more attributes, for one that adds fields to it."""
    return f"{cleandoc(config_class.__doc__ or '')}\n" + "".join(
        f"    {line}\n" for line in cleandoc(attributes).splitlines()
    )
