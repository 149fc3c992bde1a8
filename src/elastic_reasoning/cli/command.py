"""From a command line, and a recipe under it, to a frozen dataclass.

A recipe is a YAML file with the fields of the command's configuration; flags override it. What neither knows is an
error that names the nearest known field.
"""

import difflib
import json
import re
from argparse import ArgumentError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from elastic_reasoning.errors import UsageError

Config = TypeVar("Config")


class _Formatter(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Keeps the line breaks of descriptions and examples."""


def parse(
    config_class: type[Config],
    argv: Sequence[str],
    *,
    command: str,
    about: str,
    example: str,
    positional: str | None = None,
) -> Config:
    """Read a configuration from a command line.

    Args:
        config_class: a frozen dataclass; its docstring's attributes are the help texts.
        argv: the arguments after the command.
        command: the command's name.
        about: what it does.
        example: lines to try.
        positional: the field that may also be given without a flag, as the first argument.

    Raises:
        UsageError: a flag, key or value that does not fit.
        SystemExit: after `--help`.
    """
    parser = ArgumentParser(
        prog=f"elastic {command}",
        description=about,
        epilog="example:\n" + "\n".join(f"  {line}" for line in example.strip().splitlines()),
        formatter_class=_Formatter,
        exit_on_error=False,
    )
    parser.add_argument("--recipe", action="config", help="YAML file with any of the options below; flags override it")
    parser.add_class_arguments(config_class, None)
    known = _field_names(config_class)
    arguments = _shorthands(config_class, _with_positional(list(argv), positional))
    try:
        values = parser.instantiate(parser.parse_args(arguments))
        return config_class(**{name: values[name] for name in known if "." not in name})
    except (ArgumentError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(_explained(str(error), known, command)) from None


def _with_positional(arguments: list[str], positional: str | None) -> list[str]:
    if positional and arguments and not arguments[0].startswith("-"):
        return [f"--{positional}={arguments[0]}", *arguments[1:]]
    return arguments


def _shorthands(config_class: type[Any], arguments: list[str]) -> list[str]:
    """Let `--budgets 8+20,16+20` stand for a list, and `--json` for `--json=true`."""
    hints = get_type_hints(config_class)
    lists = {f"--{f.name}" for f in fields(config_class) if get_origin(hints[f.name]) is tuple}
    switches = {f"--{f.name}" for f in fields(config_class) if hints[f.name] is bool}
    result: list[str] = []
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if flag in lists and equals:
            argument = f"{flag}={_as_list(value)}"
        elif result and result[-1] in lists:
            argument = _as_list(argument)
        elif argument in switches:
            argument = f"{argument}=true"
        result.append(argument)
    return result


def _as_list(value: str) -> str:
    return value if value.startswith("[") else json.dumps([part.strip() for part in value.split(",")])


def _field_names(config_class: type[Any], prefix: str = "") -> list[str]:
    hints = get_type_hints(config_class)
    names = []
    for field in fields(config_class):
        names.append(prefix + field.name)
        inner = [kind for kind in (hints[field.name], *get_args(hints[field.name])) if is_dataclass(kind)]
        for kind in inner:
            names += _field_names(kind, f"{prefix}{field.name}.")  # type: ignore[arg-type]
    return names


def _explained(message: str, known: list[str], command: str) -> str:
    """A parser's message as one line, with the nearest known name where one is unknown."""
    line = "; ".join(part.strip(" -") for part in message.splitlines() if part.strip())
    found = (
        re.search(r"[Gg]roup '(?P<group>[\w.]+)' does not accept option '(?P<name>[\w.]+)'", line)
        or re.search(r"Option '(?P<name>[\w.]+)' is not accepted", line)
        or re.search(r"unrecognized arguments: --(?P<name>[\w.-]+)", line)
    )
    if found is None:
        return f"{line} (see elastic {command} --help)"
    group = found.groupdict().get("group")
    name = f"{group}.{found['name']}" if group else found["name"]
    near = difflib.get_close_matches(name.replace("-", "_"), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown option {name!r}: {hint}see elastic {command} --help"
