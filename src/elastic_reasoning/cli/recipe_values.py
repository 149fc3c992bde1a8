"""What a recipe says, as values of a command's options."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonargparse import get_loader
from yaml import YAMLError

from elastic_reasoning.cli.options import MisuseError, OptionParser
from elastic_reasoning.cli.recipes import command_of, recipe_path
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.untrusted.json import Fault, MalformedError
from elastic_reasoning.untrusted.yaml import MOST_LETTERS, check_yaml


def read_recipe(given: str, parser: OptionParser, command: str) -> dict[str, Any]:
    """The values of the options that a recipe names.

    Args:
        given: a file, or the name of a recipe that comes with the package.
        parser: of the command's options.
        command: its name.

    Raises:
        MisuseError: an option is not known, or has a value that it may not have.
        UsageError: the recipe cannot be read, or no recipe would be so.
    """
    path = Path(recipe_path(given))
    text = _text(path)
    values = _loaded(text)
    if not isinstance(values, Mapping):
        raise MisuseError("the recipe holds no options: write a line as `limit: 128` for each")
    other = command_of(path.stem, text)
    of_other = f"; the recipe {path.stem} is for elastic {other}" if other not in ("", command) else ""
    return dict(_values(values, parser, of_other))


def strategies_in(argv: Sequence[str]) -> Iterator[str]:
    """The strategies that a command line and its recipe name, as far as they can be told before they are parsed.

    Raises:
        UsageError: the recipe cannot be read.
    """
    for flag, value in pairwise(part for each in argv for part in each.split("=", 1)):
        if flag in ("--strategy", "--strategies"):
            yield from re.split(r'[\s,"\[\]]+', value)
        elif flag == "--recipe":
            recipe = _loaded(_text(Path(recipe_path(value))))
            named = [recipe.get(name) for name in ("strategy", "strategies")] if isinstance(recipe, Mapping) else []
            for each in named:
                yield from filter(lambda name: isinstance(name, str), each if isinstance(each, list) else [each])


def _loaded(text: str) -> Any:
    try:
        return get_loader("yaml")(text)
    except YAMLError as error:
        raise UsageError(f"the recipe is not YAML: {getattr(error, 'problem', None) or type(error).__name__}") from None


def _text(path: Path) -> str:
    """The text of a recipe, looked through before anything is made of it."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_LETTERS + 1)
        check_yaml(text)
        return text
    except OSError as error:
        raise UsageError(f"cannot read recipe {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"recipe {path} is not YAML: it is not UTF-8") from None
    except MalformedError as error:
        said = "the recipe is not YAML: while parsing " if error.fault is Fault.SYNTAX else "recipe "
        raise UsageError(f"{said}{path}, {error}") from None


def _values(
    values: Mapping[Any, Any], parser: OptionParser, of_other: str, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if name in parser.names:
            yield name, parser.checked(name, value)
        elif isinstance(value, Mapping) and any(known.startswith(f"{name}.") for known in parser.names):
            yield from _values(value, parser, of_other, f"{name}.")
        else:
            raise MisuseError(parser.unknown(name) + of_other)
