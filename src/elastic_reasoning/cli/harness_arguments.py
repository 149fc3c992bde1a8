"""What can be refused of the arguments of `elastic lm-eval` before the harness is imported, which takes many seconds.

    check_arguments(["--model_args", "pretrained=minni,budget=24+20", "--tasks", "gsm8k"])     # EngineError

Only what is certainly wrong is refused; everything else is the harness's to judge. Its tasks are known by their YAML
files: a name that stands in none of them is no task.
"""

import difflib
import importlib.util
import json
import re
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.integrations.model_arguments import engine_config, parted
from elastic_reasoning.untrusted.own_strategies import strategy_name

HARNESS = "lm_eval"
NAMED = re.compile(rb"^[\s-]*(?:task|group|tag)[ \t]*:[ \t]*['\"]?([\w.+-]+)", re.MULTILINE)
NO_NAME = re.compile(r"[*?\[\]{}/\\]|\.ya?ml$")
"""What makes of a task a pattern, a file or a folder."""


def check_arguments(argv: Sequence[str]) -> None:
    """Refuse model arguments and tasks that cannot be meant.

    Raises:
        UsageError: an unknown task or engine, or no budget.
        ElasticError: a model, budget, strategy or type that is not known.
    """
    parser = ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--model", "-M", default="elastic")
    parser.add_argument("--model_args", "-a", nargs="+", default=[])
    parser.add_argument("--tasks", "-t", nargs="+", default=[])
    parser.add_argument("--include_path")
    parser.add_argument("--config", "-C")
    parser.add_argument("command", nargs="?")
    try:
        given, _ = parser.parse_known_args([argument for argument in argv if argument != "run"])
    except Exception:  # the harness says in its own words what is wrong with its arguments
        return
    if given.config or given.command or not (given.tasks or given.model_args):
        return
    if given.model == "elastic":
        _check_model(_values(given.model_args))
    _check_tasks([name for text in given.tasks for name in text.split(",") if name], given.include_path)


def _values(texts: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in texts:
        try:
            read = json.loads(text)
        except ValueError:
            read = dict(part.partition("=")[::2] for part in _parts(text) if part)
        values |= read if isinstance(read, dict) else {}
    return values


def _parts(text: str) -> list[str]:
    """What stands between commas, as the harness reads it: those in brackets and in quotes are part of a value."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _check_model(values: dict[str, Any]) -> None:
    text = {name: str(value) for name, value in values.items()}
    if not text.get("budget"):
        raise UsageError("no budget: give one with the model's arguments, as budget=512+256")
    find_strategy(strategy_name(text.get("strategy", DEFAULT_STRATEGY))).ask(Budget.parse(text["budget"]))
    engine, url = text.get("engine", "transformers"), text.get("base_url", "")
    model = text.get("pretrained", "")
    if not model and engine != "openai":
        raise UsageError("no model: give one with the model's arguments, as pretrained=mini-e1")
    config = EngineConfig(engine, server=ServerConfig((url,) if url else (), text.get("tokenizer", "")))
    given, _ = parted(values)
    given.pop("chat_template_kwargs", None)  # of which the model says itself how it is given
    engine_config(config, given, model, "base_url=")


def _check_tasks(names: Sequence[str], include_path: str | None) -> None:
    spec = importlib.util.find_spec(HARNESS)
    wanted = [name for name in names if not NO_NAME.search(name)]
    if spec is None or not spec.submodule_search_locations or not wanted:
        return
    folders = [Path(place) / "tasks" for place in spec.submodule_search_locations]
    texts = [*_yaml(folders), *_yaml([Path(include_path)] if include_path else [])]
    for name in wanted:
        word = re.compile(rb"(?<![\w.+-])" + re.escape(name.encode()) + rb"(?![\w.+-])")
        if not any(word.search(text) for text in texts):
            known = {found.decode() for text in texts for found in NAMED.findall(text)}
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"unknown task {name!r}: {hint}elastic lm-eval ls tasks lists all; --include_path adds some"
            )


def _yaml(folders: Iterable[Path]) -> Iterator[bytes]:
    """The text of every YAML file in some folders, as the harness looks for tasks."""
    for folder in folders:
        for path in folder.rglob("*.yaml"):
            if path.is_file():
                yield path.read_bytes()
