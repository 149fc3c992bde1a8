"""The options of a command as a parser: a flag for each field of its configuration, checked against the field's type.

    parser = OptionParser(SweepConfig(), None)
    parser.read(["--budgets", "8+20,24+20", "--limit", "7"])["limit"]      # 7

`--budgets 8+20,16+20` stands for a list and `--json` for `--json=true`; a value may begin with a minus sign, and a flag
may be written with dashes within.
"""

import argparse
import difflib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from types import NoneType, UnionType
from typing import Any, NoReturn, Union, get_args, get_origin

from jsonargparse import ArgumentParser, Namespace
from jsonargparse._typehints import ActionTypeHint
from jsonargparse._util import NestedArg

from elastic_reasoning.core.configuration import leaves
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import OptionValues
from elastic_reasoning.core.strategies import STRATEGIES, known_options, typed_options
from elastic_reasoning.untrusted.json import MalformedError
from elastic_reasoning.untrusted.yaml import check_yaml

FLAG = re.compile(r"--?[A-Za-z]")
SWITCHED = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    tuple: "a list, as [one, two]",
    dict: "a mapping, as {name: value}",
    NoneType: "null",
}


class MisuseError(Exception):
    """A flag, key or value that does not fit; the command's help says what would."""


class _Option(ActionTypeHint):
    """An option that is given once, and says in one line what it may be."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not args:  # argparse makes an option by calling what `add_argument` was given as its action
            return _Option(_typehint=self._typehint, _enable_path=False, **kwargs)
        parser, namespace, text, flag = args
        if flag in parser.texts:
            raise UsageError(f"{flag} is given twice, as {parser.texts[flag]!r} and as {text!r}: give it once")
        parser.texts[flag] = text
        if "&" in text and "*" in text:
            _check_alone(flag, text)
        try:
            return super().__call__(parser, namespace, self._as_list(text), flag)  # type: ignore[no-untyped-call]
        except MisuseError:
            raise MisuseError(self._refusal(flag.removeprefix("--"), text)) from None

    def _as_list(self, text: str) -> str:
        if get_origin(self._typehint) is not tuple or text.startswith("["):
            return text
        return json.dumps([part.strip() for part in text.split(",")] if text.strip() else [])

    def _check_type(self, value: Any, append: bool = False, cfg: Any = None, mode: Any = None) -> Any:
        try:
            return super()._check_type(value, append=append, cfg=cfg, mode=mode)  # type: ignore[no-untyped-call]
        except (TypeError, ValueError):
            shown = value.val if isinstance(value, NestedArg) else value
            raise MisuseError(self._refusal(self.dest, shown)) from None

    def _refusal(self, name: str, value: object) -> str:
        kinds = get_args(self._typehint) if get_origin(self._typehint) in (Union, UnionType) else (self._typehint,)
        return f"{name} {value!r}: must be {' or '.join(KINDS[get_origin(kind) or kind] for kind in kinds)}"


class OptionParser(ArgumentParser):
    """A parser of the options of a configuration, of `--recipe` and of `--print_config`.

    Args:
        defaults: the configuration where nothing is given.
        positional: the option that may be given without a flag.
    """

    def __init__(self, defaults: Any, positional: str | None) -> None:
        super().__init__(add_help=False, exit_on_error=False, allow_abbrev=False, print_config=None)
        self.texts: dict[str, str] = {}
        self._positional = positional
        self._switches = set()
        self._told: list[str] = []
        for leaf in leaves(defaults):
            if leaf.kind == OptionValues:
                self._told.append(leaf.key)
                for name, (strategy, *_) in known_options().items():
                    kind = type(STRATEGIES[strategy].supported_options[name])
                    self._add(f"{leaf.key}.{name}", kind | None, leaf.default.get(name))
            else:
                self._add(leaf.key, leaf.kind, leaf.default)
            if leaf.kind is bool:
                self._switches.add(f"--{leaf.key}")
        self.names = [action.dest for action in self._actions]
        self._add("recipe", str, "", help=argparse.SUPPRESS)
        self.add_argument("--print_config", action="store_true", help=argparse.SUPPRESS)

    def _add(self, name: str, kind: Any, default: Any, **settings: Any) -> None:
        option = _Option(typehint=kind, enable_path=False, logger=self._logger)
        self.add_argument(f"--{name}", action=option, default=default, **settings)

    def read(self, argv: Sequence[str]) -> dict[str, Any]:
        """The value of every option; what strategies are told stands together too, without what is not given.

        Raises:
            MisuseError: an option is not known, or has a value that it may not have.
            UsageError: one is given twice, or a value belongs to none.
            StrategyError: a strategy does not take what it is told.
        """
        self.texts.clear()
        found = self.parse_args(list(argv))
        values = {name: found[name] for name in (*self.names, "recipe", "print_config")}
        for group in self._told:
            given = {name: values[f"{group}.{name}"] for name in known_options()}
            values[group] = typed_options({name: value for name, value in given.items() if value is not None})
        return values

    def checked(self, name: str, value: Any) -> Any:
        """A value as its option may have it.

        Raises:
            MisuseError: it may not.
        """
        return self._check_value_key(self._option_string_actions[f"--{name}"], value, name, None)

    def dump_options(self, values: dict[str, Any]) -> str:
        """Values as a recipe, without what strategies are not told."""
        named = Namespace()  # type: ignore[no-untyped-call]
        for name in self.names:
            if values[name] is not None or name.rpartition(".")[0] not in self._told:
                named[name] = values[name]
        return str(self.dump(named, skip_unset=False))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Refuse what argparse itself finds wrong."""
        raise MisuseError(message) from ex

    def unknown(self, name: str) -> str:
        """What to say of an option that is not known; a group is told apart from its options."""
        name = name.replace("-", "_")
        if any(known.startswith(f"{name}.") for known in self.names):
            return f"{name}: must be given as {name}.NAME"
        last = name.rpartition(".")[2]
        near = [known for known in self.names if known.rpartition(".")[2] == last]
        near = near or difflib.get_close_matches(name, self.names, n=1)
        near = near or [known for known in self.names if len(name) > 2 and name in known]
        return f"unknown option {name!r}" + (f": did you mean {near[0]!r}?" if near else "")

    def _parse_known_args(self, args: list[str], namespace: Any, **settings: Any) -> tuple[Any, list[str]]:  # type: ignore[override]
        """As argparse, and what belongs to no option is the positional one's value."""
        namespace, left = super()._parse_known_args([*self._with_switches(args)], namespace, **settings)
        for text in left:
            if FLAG.match(text):
                raise MisuseError(self.unknown(text.partition("=")[0].lstrip("-")))
        if left and self._positional:
            flag = f"--{self._positional}"
            self._option_string_actions[flag](self, namespace, left.pop(0), flag)
        if left:
            raise UsageError(self._left_over(left[0]))
        return namespace, []

    def _with_switches(self, args: Iterable[str]) -> Iterator[str]:
        """Each switch with the value that it has alone or by the word behind it.

        argparse knows options with a value that may be missing, but would take any word behind one for it, also the
        question of `elastic generate --json QUESTION`.
        """
        waiting = list(args)
        while waiting:
            part = waiting.pop(0)
            if part.replace("-", "_").replace("__", "--", 1) not in self._switches:
                yield part
            elif waiting and waiting[0].lower() in SWITCHED:
                yield f"{part}={SWITCHED[waiting.pop(0).lower()]}"
            else:
                yield f"{part}=true"

    def _parse_optional(self, arg_string: str) -> Any:
        """What is no flag is a value, also where it begins with a minus sign; dashes stand for underscores."""
        if not FLAG.match(arg_string):
            return None
        flag, equals, value = arg_string.partition("=")
        flag = flag[:2] + flag[2:].replace("-", "_")
        return super()._parse_optional(flag + equals + value)  # type: ignore[no-untyped-call]

    def _left_over(self, text: str) -> str:
        """What to do about an argument that is neither a flag nor the value of one."""
        if self._positional is None:
            return f"unrecognized arguments: {text}; a value stands behind its flag, as --out {shlex.quote(text)}"
        before = self.texts[f"--{self._positional}"]
        fix = f", or put words that belong together in quotes: {shlex.quote(f'{before} {text}')}"
        return (
            f"unrecognized arguments: {text}; {self._positional} is {before!r} already: leave one out"
            f"{fix if self._positional == 'question' else ''}"
        )


def _check_alone(flag: str, value: str) -> None:
    """Look a value through that could stand for gigabytes."""
    try:
        check_yaml(value)
    except MalformedError as error:
        raise UsageError(f"{flag}: {error}") from None
