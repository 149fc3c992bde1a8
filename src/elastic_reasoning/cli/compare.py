"""`elastic compare`: two runs, or two settings of one, on the problems that both have."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.errors import UsageError
from elastic_reasoning.evaluation.compare import compare_runs
from elastic_reasoning.evaluation.manifest import Manifest
from elastic_reasoning.evaluation.metrics import by_setting
from elastic_reasoning.evaluation.record import Record
from elastic_reasoning.evaluation.records import read_records

MOST_NAMED = 8
"""Settings that an error message names."""


@dataclass(frozen=True)
class CompareConfig:
    """What to compare.

    Attributes:
        run_a: folder of records; the first argument may stand for it.
        run_b: another one, the second argument; the same one if empty.
        a: settings of run a to look at, as MODEL/STRATEGY/BUDGET or parts of it (mini, elastic/24+20); all if empty.
        b: settings of run b.
        json: print JSON.
    """

    run_a: str = ""
    run_b: str = ""
    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()
    json: bool = False


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
        about="Compare two runs on the problems that both have: settings of the same model, strategy and budget, or\n"
        "one setting of each. Gains are those of b over a, with standard errors of the paired differences.",
        example=EXAMPLE,
    )
    if not config.run_a:
        raise UsageError("no folder of records: elastic compare runs/before runs/after")
    if not config.run_b and not (config.a and config.b):
        raise UsageError(f"one run, {config.run_a}: pass a second folder, or settings of this one with --a and --b")
    run_a = read_records(Path(config.run_a))
    run_b = read_records(Path(config.run_b)) if config.run_b else run_a
    _check_same_task(run_a[0], run_b[0])
    pairs = compare_runs(_chosen(run_a[1], config.a, "a"), _chosen(run_b[1], config.b, "b"))
    if config.json:
        runs = {"run_a": config.run_a, "run_b": config.run_b or config.run_a}
        print(json.dumps({**runs, "pairs": [asdict(pair) for pair in pairs]}))
        return 0
    from rich.console import Console

    from elastic_reasoning.report.pairs import pairs_table

    Console().print(pairs_table(pairs))
    return 0


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


def _chosen(records: Sequence[Record], names: Sequence[str], side: str) -> list[Record]:
    """The records of the settings in whose name one of these stands between slashes; of all for none."""
    settings = {"/".join(setting): group for setting, group in by_setting(records).items()}
    chosen: dict[str, list[Record]] = {}
    for name in names:
        found = {full: group for full, group in settings.items() if f"/{name}/" in f"/{full}/"}
        if not found:
            some = ", ".join([*settings][:MOST_NAMED]) + (", ..." if len(settings) > MOST_NAMED else "")
            raise UsageError(f"--{side} {name!r}: no such setting; there are {some}")
        chosen |= found
    return [record for group in chosen.values() for record in group] if names else list(records)
