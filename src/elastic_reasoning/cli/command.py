"""From a command line, and a recipe under it, to a frozen dataclass.

A recipe is a YAML file with the fields of the command's configuration, one's own or one that comes with the package;
flags override it. What neither knows is an error that names the nearest known field.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from elastic_reasoning.cli.help import help_text
from elastic_reasoning.cli.options import MisuseError, OptionParser
from elastic_reasoning.cli.output import say
from elastic_reasoning.cli.recipe_values import read_recipe, strategies_in
from elastic_reasoning.core.codec import whole_letters
from elastic_reasoning.core.configuration import with_values
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.untrusted.own_strategies import strategy_names

Config = TypeVar("Config")


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
        config_class: a frozen dataclass with a default for every field; the docstring under each is its help.
        argv: the arguments after the command.
        command: the command's name.
        about: what it does.
        example: lines to try.
        positional: the option that may also be given without a flag, as the first argument.
        arguments: what the usage line says may be given without a flag; the positional one if empty.

    Raises:
        UsageError: a flag, key or value that does not fit.
        SystemExit: after `--help` and `--print_config`.
    """
    if {"-h", "--help"}.intersection(argv):
        named = arguments or (f"[{positional.upper()}]" if positional else "")
        say(help_text(config_class, command=command, about=about, example=example, arguments=named), end="")
        raise SystemExit(0)
    for part in argv:
        if part != whole_letters(part):  # libraries write files by such names only in part
            raise UsageError(f"{part!a}: holds bytes that are not UTF-8, which no option may")
    strategy_names(strategies_in(argv))  # those that lie in files declare options of their own
    defaults = config_class()
    parser = OptionParser(defaults, positional)
    try:
        given: dict[str, Any] = parser.read(argv)
        if given["recipe"]:
            parser.set_defaults(read_recipe(given["recipe"], parser, command))
            given = parser.read(argv)  # flags override a recipe, wherever it stands among them
    except MisuseError as error:
        raise UsageError(f"{error} (see elastic {command} --help)") from None
    if given["print_config"]:
        say(parser.dump_options(given), end="")
        raise SystemExit(0)
    return with_values(defaults, given)
