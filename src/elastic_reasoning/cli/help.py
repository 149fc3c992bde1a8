"""What a command says of itself: a usage line, its options in groups, what is used most first, and examples.

print(help_text(SweepCommand, command="sweep", about="Measure accuracy ...", example="elastic sweep ..."))

Options and their help are the fields of the configuration and the docstring under each.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from textwrap import wrap
from typing import Any, get_args, get_origin

from docstring_parser import DocstringStyle, parse_from_object

from elastic_reasoning.core.configuration import Leaf, leaves
from elastic_reasoning.core.request import OptionValues
from elastic_reasoning.core.strategies import STRATEGIES, Strategy, known_options
from elastic_reasoning.engines.remote_code import FLAG as FLAG_OF_TRUST

GROUPS = {
    "what it works on": (
        *("question", "records", "run_a", "run_b", "run", "a", "b", "settings", "problem", "url", "models", "model"),
        *("tokenizer", "strategies", "strategy", "task", "budgets", "budget", "limit", "samples", "total", "accuracy"),
        *(
            "save",
            "shares",
            "contests",
            "attempts",
            "against",
            "plan",
            "weights",
            "rewards",
            "train",
            "steps",
            "seed",
            "out",
        ),
    ),
    "what is shown": (
        *("json", "report", "report_to", "title", "trained_at", "published", "max_problems", "num_mismatches"),
        *("dry_run", "upload", "explain"),
    ),
    "what a plan is made from": (
        *("measure", "lengths_from", "prompt_tokens", "hardware", "num_devices", "tensor_parallel", "memory_gb"),
        *("gb_per_second", "tflops", "price_per_hour"),
    ),
    "problems and grading": (
        *("data", "against_data", "split", "release", "since", "until", "round_to_reference"),
        *("allow_code_execution", "sandbox", "grading_workers", "num_problems", "suffix"),
    ),
    "more budgets and models": ("thinking", "solution", "thinking_model", "solution_model"),
    "how thinking is marked": ("opening", "closing", "chat_template_kwargs", "apply_chat_template"),
    "how rollouts are made": ("temperature", "prompts_per_step", "samples_per_prompt", "max_prompt_tokens"),
    "how weights are changed": (
        *("updates_per_step", "batch_size", "micro_batch_size", "learning_rate", "lr_schedule", "num_lr_warmup_steps"),
        *("beta", "loss", "advantages", "epsilon", "epsilon_high", "mask_cut", "max_grad_norm", "weight_decay"),
        *("entropy_bonus", "constants", "reward_timeout_seconds", "max_tokens", "broken_share", "lora"),
    ),
    "validation and checkpoints": ("validation_budgets", "num_validation_problems", "held_out_share", "save_every"),
    "how it is run": (
        *(
            "part",
            "writer",
            "prefer",
            "engine",
            "device",
            "dtype",
            "max_rows",
            "share",
            "mixed_precision",
            "gradient_checkpointing",
            "dialect",
        ),
        *("api_key_env", "timeout_seconds"),
    ),
}
"""Options by what they concern, in the order in which they are told; what stands nowhere comes last, as `OTHERS`."""
OTHERS = "more"
RECIPE = ("--recipe NAME", "a recipe by its name (elastic recipes), or a YAML file of options; flags override it")
ALWAYS = (
    (FLAG_OF_TRUST, "let the Python code run that a model brings; without it such a model is refused"),
    ("--print_config", "print the resulting options as a recipe, and stop"),
    ("-h, --help", "show this"),
)
KINDS = {bool: "true|false", int: "N", float: "X", str: "TEXT", dict: "JSON", tuple: "LIST"}
INDENT = 30
WIDEST = 110


def help_text(config_class: type[Any], *, command: str, about: str, example: str, arguments: str = "") -> str:
    """The help of a command, for the width of the terminal.

    Args:
        config_class: its configuration.
        command: its name.
        about: what it does.
        example: lines to try.
        arguments: what may be given without a flag, as "[QUESTION]".
    """
    width = min(WIDEST, shutil.get_terminal_size().columns)
    usage = " ".join(part for part in ("usage: elastic", command, arguments, "[--option VALUE ...]") if part)
    lines = [usage, "", *(line for text in about.splitlines() for line in wrap(text, width))]
    for title, entries in _sections(config_class):
        lines += [
            "",
            *wrap(f"{title}:", width),
            *(line for flag, text in entries for line in _entry(flag, text, width)),
        ]
    lines += ["", "example:", *(f"  {line}" for line in example.strip().splitlines())]
    return "\n".join(lines) + "\n"


def _sections(config_class: type[Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Titles with (flag, help) of each option; those of a group that has a name stand in a section of their own."""
    defaults = config_class()
    every = [leaf for leaf in leaves(defaults) if leaf.kind != OptionValues]
    told = [leaf.key for leaf in leaves(defaults) if leaf.kind == OptionValues]
    groups: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for leaf in every:
        groups[leaf.key.rpartition(".")[0]][leaf.key] = _option(leaf, _documented(leaf.owner).get(leaf.name, ""))
    left = groups.pop("", {})
    for title, names in GROUPS.items():
        held = [left.pop(name) for name in names if name in left]
        first = [RECIPE] if title == next(iter(GROUPS)) else []
        if held or first:
            yield title, [*held, *first]
    if left:
        yield OTHERS, [*left.values()]
    about = dict(_about_groups(defaults))
    for name in told:
        yield "ways to spend a budget", [(each, _about(strategy)) for each, strategy in STRATEGIES.items()]
        yield f"{name}, {about[name]}", [*_told(name)]
    for name, members in groups.items():
        yield f"{name}, {about[name]}", [*members.values()]
    yield "always", list(ALWAYS)


def _about_groups(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """What each field is by its name outside Python, as the middle of a sentence: the titles of groups."""
    owner: Any = type(config)
    texts = _documented(owner)
    for field in fields(config):
        value = getattr(config, field.name)
        text = texts.get(field.name, "").rstrip(".")
        yield prefix + field.name, text[:1].lower() + text[1:]
        if is_dataclass(value):
            yield from _about_groups(value, prefix if field.metadata.get("inline") else f"{prefix}{field.name}.")


def _about(strategy: Strategy) -> str:
    return f"{strategy.about} ({strategy.source})" if strategy.source else strategy.about


def _told(group: str) -> Iterator[tuple[str, str]]:
    """What strategies can be told, each option once, with the names of those that it is for."""
    for name, strategies in known_options().items():
        texts: dict[tuple[str, str], list[str]] = {}
        for each in strategies:
            kind: Any = STRATEGIES[each].options
            (leaf,) = (leaf for leaf in leaves(kind(), f"{group}.") if leaf.name == name)
            texts.setdefault(_option(leaf, _documented(kind).get(name, "")), []).append(each)
        (flag, _), *_ = texts
        yield flag, "; ".join(f"{', '.join(names)}: {text}" for (_, text), names in texts.items())


@cache
def _documented(config_class: Any) -> dict[str, str]:
    """What stands under each field of a configuration, and of what it adds fields to."""
    texts: dict[str, str] = {}
    for each in reversed(config_class.__mro__[:-1]):
        for param in parse_from_object(each, DocstringStyle.GOOGLE).params:
            texts |= {name.strip(): " ".join((param.description or "").split()) for name in param.arg_name.split(",")}
    return texts


def _option(leaf: Leaf, text: str) -> tuple[str, str]:
    text = text if text.endswith("...") else text.removesuffix(".")
    default = _default(leaf.default)
    kinds = [kind for kind in (get_origin(leaf.kind), leaf.kind, *get_args(leaf.kind)) if kind in KINDS]
    value = "" if leaf.default is False else f" {KINDS[kinds[0]] if kinds else 'VALUE'}"
    return f"--{leaf.key}{value}", f"{text} [{default}]" if default else text


def _default(value: object) -> str:
    """A default as it would be typed; nothing where there is none, or where a switch is off."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if value is None or value is False or isinstance(value, dict):
        return ""
    plain = isinstance(value, str) and value.strip() == value
    return str(value) if plain else json.dumps(value)


def _entry(flag: str, text: str, width: int) -> Iterator[str]:
    lines = wrap(text, max(24, width - INDENT)) or [""]
    head = f"  {flag}"
    if len(head) > INDENT - 2:
        yield head
    else:
        yield f"{head:<{INDENT}}{lines.pop(0)}"
    for line in lines:
        yield " " * INDENT + line
