"""From a command line, and a recipe under it, to a frozen dataclass.

A recipe is a YAML file with the fields of the command's configuration, one's own or one that comes with the package;
flags override it. What neither knows is an error that names the nearest known field.
"""

import difflib
import json
import re
import shlex
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from elastic_reasoning.cli.help import help_text
from elastic_reasoning.cli.output import say
from elastic_reasoning.cli.recipes import command_of, recipe_path
from elastic_reasoning.core.codec import whole_letters
from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.core.request import OptionValues
from elastic_reasoning.core.strategies import STRATEGIES, known_options, typed_options
from elastic_reasoning.untrusted.json import Fault, MalformedError
from elastic_reasoning.untrusted.yaml import MOST_LETTERS, check_yaml

Config = TypeVar("Config")
FLAG = re.compile(r"--?[A-Za-z]")
ALONE = ("-h", "--help", "--print_config")
SWITCHED = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "tuple": "a list, as [one, two]",
    "dict": "a mapping, as {name: value}",
    "NoneType": "null",
}


def parse(
    config_class: type[Config],
    argv: Sequence[str],
    *,
    command: str,
    about: str,
    example: str,
    positional: str | None = None,
    arguments: str = "",
) -> Config:
    """Read a configuration from a command line.

    Args:
        config_class: a frozen dataclass; the docstring under each field is its help.
        argv: the arguments after the command.
        command: the command's name.
        about: what it does.
        example: lines to try.
        positional: the field that may also be given without a flag, as the first argument.
        arguments: what the usage line says may be given without a flag; the positional one if empty.

    Raises:
        UsageError: a flag, key or value that does not fit.
        SystemExit: after `--help`.
    """
    if {"-h", "--help"}.intersection(argv):
        named = arguments or (f"[{positional.upper()}]" if positional else "")
        say(help_text(config_class, command=command, about=about, example=example, arguments=named), end="")
        raise SystemExit(0)
    kinds = _field_kinds(config_class)
    known = list(kinds)
    parser = ArgumentParser(prog=f"elastic {command}", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--recipe", action="config")
    told = [name for name, kind in kinds.items() if kind == OptionValues]
    parser.add_class_arguments(config_class, None, skip={*told})
    for name in (each for each in kinds if each.rpartition(".")[0] in told):
        parser.add_argument(f"--{name}", type=kinds[name], default=None)
    try:
        values = parser.instantiate(parser.parse_args(_arguments(config_class, argv, positional)))
        for name in told:
            if not isinstance(values[name], Namespace):
                raise UsageError(f"{name}: must be given as {name}.NAME")
            values[name] = typed_options({k: value for k, value in vars(values[name]).items() if value is not None})
        return config_class(**{name: values[name] for name in kinds if "." not in name})
    except (ArgumentError, ValueError, TypeError) as error:
        if isinstance(error, ElasticError):
            raise
        why = _explained(str(error), known)
        if why.startswith("unknown option"):
            why += _of_other_command(argv, command)
        raise UsageError(f"{why} (see elastic {command} --help)") from None


def _of_other_command(argv: Sequence[str], command: str) -> str:
    """That a recipe is for another command, where it says so itself."""
    paths = [argument.partition("=")[2] for argument in argv if argument.startswith("--recipe=")]
    paths += [value for flag, value in pairwise(argv) if flag == "--recipe"]
    for path in map(Path, map(recipe_path, paths)):
        other = command_of(path.stem, path.read_text(encoding="utf-8", errors="replace"))
        if other not in ("", command):
            return f"; the recipe {path.stem} is for elastic {other}"
    return ""


def _arguments(config_class: type[Any], argv: Sequence[str], positional: str | None) -> list[str]:
    """Every option as `--name=value`.

    `--budgets 8+20,16+20` stands for a list, `--json` for `--json=true`, and what belongs to no option for the
    positional one. A value may begin with a minus sign, and a flag may be written with dashes within.
    """
    kinds = _field_kinds(config_class)
    lists = {f"--{name}" for name, kind in kinds.items() if get_origin(kind) is tuple}
    taken = positional
    given: dict[str, str] = {}
    switches = {f"--{name}" for name, kind in kinds.items() if kind is bool}
    result: list[str] = []
    waiting = list(argv)
    for part in waiting:
        if part != whole_letters(part):  # libraries write files by such names only in part
            raise UsageError(f"{part!a}: holds bytes that are not UTF-8, which no option may")
    while waiting:
        flag, equals, value = waiting.pop(0).partition("=")
        if FLAG.match(flag):
            flag = flag[:2] + flag[2:].replace("-", "_")
        else:
            if not positional:
                raise UsageError(_left_over(f"{flag}{equals}{value}", taken, given))
            flag, equals, value, positional = f"--{positional}", "=", f"{flag}{equals}{value}", None
        if not equals and flag in switches:
            value = SWITCHED[waiting.pop(0).lower()] if waiting and waiting[0].lower() in SWITCHED else "true"
        elif not equals and (flag in ALONE or not waiting or FLAG.match(waiting[0])):
            result.append(flag)
            continue
        elif not equals:
            value = waiting.pop(0)
        if flag in given:
            raise UsageError(f"{flag} is given twice, as {given[flag]!r} and as {value!r}: give it once")
        given[flag] = value
        if flag == "--recipe":
            value = recipe_path(value)
            _check_recipe(value)
        elif "&" in value and "*" in value:
            _check_alone(flag, value)
        result.append(f"{flag}={_as_list(value) if flag in lists else value}")
    return sorted(result, key=lambda flag: not flag.startswith("--recipe="))  # flags override it, wherever it stands


def _check_recipe(path: str) -> None:
    """Look a recipe through before anything is made of it.

    Raises:
        UsageError: it cannot be read, or no recipe would be so.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            check_yaml(file.read(MOST_LETTERS + 1))
    except OSError as error:
        raise UsageError(f"cannot read recipe {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"recipe {path} is not YAML: it is not UTF-8") from None
    except MalformedError as error:
        said = "the recipe is not YAML: while parsing " if error.fault is Fault.SYNTAX else "recipe "
        raise UsageError(f"{said}{path}, {error}") from None


def _check_alone(flag: str, value: str) -> None:
    try:
        check_yaml(value)
    except MalformedError as error:
        raise UsageError(f"{flag}: {error}") from None


def _left_over(text: str, positional: str | None, given: Mapping[str, str]) -> str:
    """What to do about an argument that is neither a flag nor the value of one."""
    if positional is None:
        return f"unrecognized arguments: {text}; a value stands behind its flag, as --out {shlex.quote(text)}"
    before = given.get(f"--{positional}", "")
    fix = f", or put words that belong together in quotes: {shlex.quote(f'{before} {text}')}"
    return (
        f"unrecognized arguments: {text}; {positional} is {before!r} already: leave one out"
        f"{fix if positional == 'question' else ''}"
    )


def _as_list(value: str) -> str:
    parts = [part.strip() for part in value.split(",")] if value.strip() else []
    return value if value.startswith("[") else json.dumps(parts)


def _field_kinds(config_class: type[Any], prefix: str = "") -> dict[str, Any]:
    """The type of every field, those of configurations within it too, by the name of its option."""
    hints = get_type_hints(config_class)
    kinds: dict[str, Any] = {}
    for field in fields(config_class):
        kinds[prefix + field.name] = hints[field.name]
        if hints[field.name] == OptionValues:
            for option, (strategy, *_) in known_options().items():
                kinds[f"{prefix}{field.name}.{option}"] = type(STRATEGIES[strategy].supported_options[option]) | None
        for kind in (hints[field.name], *get_args(hints[field.name])):
            if is_dataclass(kind):
                kinds |= _field_kinds(kind, f"{prefix}{field.name}.")  # type: ignore[arg-type]
    return kinds


def _unknown(name: str, known: list[str]) -> str:
    if name in known:
        return f"{name}: must be given as {name}.NAME"
    near = difflib.get_close_matches(name.replace("-", "_"), known, n=1)
    return f"unknown option {name!r}" + (f": did you mean {near[0]!r}?" if near else "")


def _explained(message: str, known: list[str]) -> str:
    """A parser's message as one line: the value, what is allowed, and the nearest name for an unknown one."""
    line = "; ".join(part.strip(" -") for part in message.splitlines() if part.strip())
    found = (
        re.search(r"[Gg]roup '(?P<group>[\w.]+)' does not accept option '(?P<name>[\w.]+)'", line)
        or re.search(r"Option '(?P<name>[\w.]+)' is not accepted", line)
        or re.search(r"unrecognized arguments: --?(?P<name>[\w.-]+)", line)
    )
    if found:
        group = found.groupdict().get("group")
        name = f"{group}.{found['name']}" if group else found["name"]
        return _unknown(name, known)
    key, value = re.search(r'[Pp]arser key "([\w.]+)"', line), re.search(r"(?:Got|Given) value: (.*)", line)
    kinds = dict.fromkeys(re.findall(r"Expected a <class '(\w+)'>", line))
    if key and value and kinds:
        return f"{key[1]} {value[1]!r}: must be {' or '.join(KINDS.get(kind, kind) for kind in kinds)}"
    if (key and "Unable to load config" in line) or "must be a mapping" in line:
        return f"{key[1] if key else 'options and sampling'}: must be given as {key[1] if key else 'options'}.NAME"
    if "Unexpected config" in line:
        return "the recipe holds no options: write a line as `limit: 128` for each"
    if "Problems parsing config" in line or "codec can't decode" in line:
        return f"the recipe is not YAML: {line.partition('config: ')[2] or line}"
    return line
