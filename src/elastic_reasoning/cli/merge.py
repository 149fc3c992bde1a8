"""`elastic merge`: parts of a sweep, or runs that belong together, joined into one folder."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.evaluation.merge import Merged, merge
from elastic_reasoning.evaluation.parts import parts_by_writer
from elastic_reasoning.records.coverage import num_whole
from elastic_reasoning.records.reading import WRITER
from elastic_reasoning.records.storage import fetched, is_url, local_path

MOST_TOLD = 20
"""Settings or parts of which it is told what they lack."""


@dataclass(frozen=True)
class MergeConfig:
    """What to join."""

    records: tuple[str, ...] = ()
    """Folders that sweeps have written, finished or not; the first arguments may stand for them."""
    out: str = ""
    """Folder to add them to; it is made where it does not exist, and may hold records of the same run."""
    prefer: str = ""
    """first: where two folders have different records of one key, take that of the folder that is named first, what
    is in out before all. Otherwise that is an error.
    """
    writer: str = WRITER
    """Name of the files in out that are added to."""
    json: bool = False
    """Print the counts as JSON."""


EXAMPLE = """
elastic merge runs/part-1 runs/part-2 runs/part-3 --out runs/whole
elastic merge runs/monday runs/tuesday --out runs/both --prefer first
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        MergeConfig,
        _named(argv),
        command="merge",
        about="Join the records of several folders, each once, as if one run had made them. Started again, it goes on.",
        example=EXAMPLE,
        arguments="FOLDER...",
    )
    if not config.records:
        raise UsageError("no folder of records: elastic merge runs/part-1 runs/part-2 --out runs/whole")
    if not config.out:
        raise UsageError("out is empty: give a folder for the joined records, as runs/whole")
    if is_url(config.out):
        raise UsageError(f"out {config.out}: give a folder of this machine for the joined records, as runs/whole")
    if config.prefer not in ("", "first"):
        raise UsageError(f"prefer {config.prefer!r}: must be first, or nothing")
    names = {fetched(folder): folder for folder in config.records}
    with progress_bar("merge") as (start, advance, _):

        def count(num: int) -> None:
            for _ in range(num):
                advance()

        try:
            merged = merge(
                list(names),
                local_path(config.out),
                config.prefer == "first",
                config.writer,
                start,
                count,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"to go on: {shlex.join(['elastic', 'merge', *argv])}") from None
    _show(config, merged, names)
    return 0


def _named(argv: Sequence[str]) -> list[str]:
    """The folders that come first, as an option."""
    folders = list(takewhile(lambda argument: not argument.startswith("-"), argv))
    return [*([f"--records={json.dumps(folders)}"] if folders else []), *argv[len(folders) :]]


def _show(config: MergeConfig, merged: Merged, names: Mapping[Path, str]) -> None:
    whole, num_lacking = num_whole(merged.manifest), sum(merged.lacking.values())
    if config.json:
        counts = {"num_records": merged.num_records, "num_whole": whole, "num_lacking": num_lacking}
        say_json({**counts, "lacking": _lacking(merged), "records": config.out})
        return
    for folder, num, num_new in merged.added:
        say(f"{names[folder]}: {num:,} records, {num_new:,} of them new")
    lacks = f"{num_lacking:,} of {whole:,} are missing" if num_lacking else "the run is whole"
    say(f"{config.out}: {merged.num_records:,} records; {lacks}")
    told = _lacking(merged)
    for name in [*told][:MOST_TOLD]:
        say(f"  {name} lacks {told[name]:,}")
    if len(told) > MOST_TOLD:
        say(f"  and {len(told) - MOST_TOLD} more")


def _lacking(merged: Merged) -> dict[str, int]:
    """How many records are missing of each part, where all are parts of one sweep; of each setting otherwise."""
    parts = parts_by_writer(merged.writers)
    if not parts:
        found = Counter[str]()
        for (model, strategy, budget, _), num in merged.lacking.items():
            found[f"{model}/{strategy}/{budget}"] += num
        return found
    by_problem = Counter[str]()
    for (*_, problem), num in merged.lacking.items():
        by_problem[problem] += num
    nums = [by_problem[problem["id"]] for problem in merged.manifest.problems]
    per_part = {f"part {part}": sum(part.of(nums)) for part in parts[0].all()}
    return {name: num for name, num in per_part.items() if num}
