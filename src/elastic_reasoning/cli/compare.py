"""`elastic compare`: two runs, or two settings of one, on the problems that both have."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from elastic_reasoning.analysis.compare import compare_runs
from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.console import table_console
from elastic_reasoning.cli.output import say_json
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.setting import chosen
from elastic_reasoning.evaluation.differences import option_differences, run_differences
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import Manifest


@dataclass(frozen=True)
class CompareConfig:
    """What to compare."""

    run_a: str = ""
    """Folder of records; the first argument may stand for it."""
    run_b: str = ""
    """Another one, the second argument; the same one if empty."""
    a: tuple[str, ...] = ()
    """Settings of run a to look at, as MODEL/STRATEGY/BUDGET or parts of it (mini, elastic/24+20); all if empty."""
    b: tuple[str, ...] = ()
    """Settings of run b."""
    json: bool = False
    """Print JSON."""


EXAMPLE = """
elastic compare runs/before runs/after
elastic compare runs/before runs/after --a mini/elastic/24+20 --b mini-e1/elastic/24+20
elastic compare runs/sweep --a mini/elastic --b mini-e1/elastic
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        CompareConfig,
        _named(argv),
        command="compare",
        about="Compare two runs on the problems that both have: settings of the same model, strategy and budget, or "
        "one setting of each. Gains are those of b over a, with standard errors of the paired differences.",
        example=EXAMPLE,
        arguments="RUN_A [RUN_B]",
    )
    if not config.run_a:
        raise UsageError("no folder of records: elastic compare runs/before runs/after")
    if not config.run_b and not (config.a and config.b):
        raise UsageError(f"one run, {config.run_a}: pass a second folder, or settings of this one with --a and --b")
    run_a = read_records(config.run_a)
    run_b = read_records(config.run_b) if config.run_b else run_a
    _check_same_task(run_a[0], run_b[0])
    pairs = compare_runs(_of(run_a[1], config.a, "--a"), _of(run_b[1], config.b, "--b"))
    told = dict(run_differences(run_a[0], run_b[0]))
    options = {(p.a.strategy, p.b.strategy): None for p in pairs}
    differing = {key: option_differences(run_a[0], run_b[0], *key) for key in options}
    if config.json:
        runs = {"run_a": config.run_a, "run_b": config.run_b or config.run_a, "differences": told}
        found = [{**p.to_dict(), "options": differing[p.a.strategy, p.b.strategy]} for p in pairs]
        say_json({**runs, "pairs": found})
        return 0
    from elastic_reasoning.report.pairs import pairs_table

    console = table_console()
    console.print(pairs_table(pairs, console.width))
    for line in [*_told(told), *_options(differing)]:
        console.print(line, markup=False)
    return 0


Pair = tuple[Any, Any]
"""What was told to a, and to b."""


def _told(differences: Mapping[str, Pair]) -> Iterator[str]:
    for name, (a, b) in differences.items():
        what = f"{name} are others" if name.startswith("weights") else f"--{name}: {_text(a)} in a, {_text(b)} in b"
        yield f"the runs differ in more than their settings: {what}"


def _options(differing: Mapping[tuple[str, str], Mapping[str, Pair]]) -> Iterator[str]:
    for (of_a, of_b), options in differing.items():
        for name, (a, b) in options.items():
            yield f"--options.{name} differs: {_text(a)} for {of_a} (a), {_text(b)} for {of_b} (b)"


def _text(value: object) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _named(argv: Sequence[str]) -> list[str]:
    """The folders that come first, as options."""
    folders = list(takewhile(lambda argument: not argument.startswith("-"), argv))
    if len(folders) > 2:
        raise UsageError(f"{len(folders)} folders ({', '.join(folders)}): compare two runs at a time")
    named = [f"--{name}={folder}" for name, folder in zip(("run_a", "run_b"), folders, strict=False)]
    return [*named, *argv[len(folders) :]]


def _check_same_task(a: Manifest, b: Manifest) -> None:
    if a.task != b.task:
        raise UsageError(f"the runs are of different tasks, {a.task} and {b.task}: compare runs of one task")


def _of(records: Records, names: Sequence[str], flag: str) -> Records:
    """The records of the settings of these names; of all for none."""
    settings = set(chosen(by_setting(records), names, flag))
    return records.under(settings)
