"""`elastic sweep`: accuracy over budgets, strategies and models."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.console import table_console
from elastic_reasoning.cli.output import note, say, say_json
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.core.configuration import EXECUTION, INLINE
from elastic_reasoning.evaluation.config import RunConfig, SweepConfig, part_of, writer_of
from elastic_reasoning.evaluation.differences import options_in_words
from elastic_reasoning.evaluation.sweep import SweepResult, sweep
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.record import Record
from elastic_reasoning.records.run_folder import working_path
from elastic_reasoning.records.storage import is_url
from elastic_reasoning.training.provenance import budget_to_mark

if TYPE_CHECKING:
    from elastic_reasoning.analysis.equal_tokens import AtTokens
    from elastic_reasoning.analysis.metrics import Row
    from elastic_reasoning.analysis.yardsticks import Yardsticks
    from elastic_reasoning.records.columns import Records
    from elastic_reasoning.report.results import Results

EXAMPLE = """
elastic sweep --models mini,mini-e1 --strategies elastic,vanilla,s1 --budgets 8+20,24+20,64+20 --limit 128 --out runs/s
elastic sweep --recipe demo --samples 4 --out runs/s4
elastic sweep --recipe aime24 --models Qwen/Qwen3-0.6B --engine vllm --out runs/aime24
elastic sweep --recipe aime24 --models Qwen/Qwen3-0.6B --part 3/64 --out s3://bucket/aime24
elastic sweep --thinking 0,8,24 --solution 4,20 --limit 128 --out runs/grid
elastic sweep --models "mini,mini-e1,mini>mini-e1" --strategies elastic --limit 128 --out runs/swap
"""


@dataclass(frozen=True)
class ShowOptions:
    """What is shown of a run when it is over."""

    report: bool = True
    """Write the page, the figures and the tables as files too, into "report" in the folder of the records; not of a
    part or of a run in a store, of which only the table is shown.
    """
    json: bool = False
    """Print the table as JSON."""


@dataclass(frozen=True)
class SweepCommand(SweepConfig):
    """What a sweep measures, and what the command shows of it."""

    show: ShowOptions = field(default_factory=ShowOptions, metadata={**INLINE, **EXECUTION})
    """What is shown of it."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        SweepCommand,
        argv,
        command="sweep",
        about="Measure accuracy over budgets for every model and strategy. Started again, it goes on where it stopped.",
        example=EXAMPLE,
    )
    run_with_progress(config, shlex.join(["elastic", "sweep", *argv]))
    show_run(config, config.show)
    return 0


def run_with_progress(config: SweepConfig, command: str) -> SweepResult:
    """Sweep with a progress bar.

    Raises:
        KeyboardInterrupt: with a hint how to go on.
    """
    num_written = 0
    with progress_bar(command.split()[1]) as (start, advance, tell):

        def count(record: Record) -> None:
            nonlocal num_written
            num_written += 1
            advance()

        try:
            result = sweep(config, start, count, on_note=note, on_status=tell)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{num_written} new records are kept in {config.out}; to go on: {command}"
            ) from None
    if result.num_cut_bytes:
        note(f"a torn last line of {result.num_cut_bytes} bytes was cut off and made again")
    if result.num_errors:
        note(f"{result.num_errors} requests could not be run; their errors are in the records")
    return result


def show_run(config: RunConfig, options: ShowOptions) -> None:
    """Print the table of a run that is over, and write its report where that is wanted.

    Of a part the table alone is shown, and how much of the whole is there; so of a run in a store, where others may
    write.
    """
    part, folder = part_of(config), working_path(config.out, writer_of(config))
    if not part and not is_url(config.out):
        show(folder, options)
        return
    from elastic_reasoning.analysis.equal_tokens import at_equal_tokens
    from elastic_reasoning.analysis.metrics import summarise
    from elastic_reasoning.analysis.yardsticks import yardsticks

    manifest, records = read_records(folder)
    if len(records) or options.json:
        equal = at_equal_tokens(records)
        show_table(config.out, manifest, records, summarise(records), yardsticks(records), equal, options.json)
    if not options.json:
        say(f"{f'part {part}' if part else 'the run'} is done: {_of_the_whole(config.out, manifest, records)}")


def _of_the_whole(out: str, manifest: Manifest, records: "Records") -> str:
    from elastic_reasoning.records.coverage import lacking, num_by_pair, num_whole

    whole, num_lacking = num_whole(manifest), sum(lacking(manifest, num_by_pair(records)).values())
    if num_lacking:
        are = "were there when it began, or come of it:" if is_url(out) else "are in"
        return f"{whole - num_lacking:,} of {whole:,} records of the whole {are} {out}"
    return f"all {whole:,} records of the whole are there: elastic report {out}{' --out report' if is_url(out) else ''}"


def show(folder: Path, config: ShowOptions) -> None:
    """Print the table of a folder of records, and write its report where that is wanted."""
    if not config.report:
        from elastic_reasoning.analysis.equal_tokens import at_equal_tokens
        from elastic_reasoning.analysis.metrics import summarise
        from elastic_reasoning.analysis.yardsticks import yardsticks

        manifest, records = read_records(folder)
        equal = at_equal_tokens(records)
        show_table(folder, manifest, records, summarise(records), yardsticks(records), equal, config.json)
        return
    from elastic_reasoning.report.results import Results

    results = Results.read(folder)
    show_results(folder, results, config.json)
    from elastic_reasoning.report.report import write_results

    trained_at = budget_to_mark(results.manifest.config.get("models", ()))
    paths = write_results(results, folder / "report", trained_at=trained_at)
    if not config.json:
        say(f"page: {paths['page']}")


def show_results(folder: Path | str, results: "Results", as_json: bool) -> None:
    """Print the tables of results that are worked out."""
    worked_out = results.rows, results.yardsticks, results.equal_tokens
    show_table(folder, results.manifest, results.records, *worked_out, as_json)


def show_table(
    folder: Path | str,
    manifest: Manifest,
    records: "Records",
    rows: Sequence["Row"],
    measured: Sequence["Yardsticks"],
    equal: Sequence["AtTokens"],
    as_json: bool,
) -> None:
    """Print the tables of a folder's records, what sharing saved, and how fast it was."""
    from elastic_reasoning.analysis.spending import generated_tokens, seconds_of
    from elastic_reasoning.report.equal_tokens import equal_token_tables
    from elastic_reasoning.report.table import results_table, rows_to_json
    from elastic_reasoning.report.yardsticks import numbers_of, yardstick_tables

    num_sampled, num_generated = generated_tokens(records)
    times = seconds_of(records)
    if as_json:
        tokens = {"num_sampled_tokens": num_sampled, "num_generated_tokens": num_generated}
        took = {model: seconds for model, (seconds, _) in times.items()}
        tables = {"rows": json.loads(rows_to_json(rows)), "yardsticks": [numbers_of(each) for each in measured]}
        tables["equal_tokens"] = [asdict(point) for point in equal]
        say_json({**tables, **tokens, "seconds": took})
        return
    console = table_console()
    console.print(results_table(rows, width=console.width))
    if tables_of_yardsticks := yardstick_tables(measured, console.width):
        console.print("", *tables_of_yardsticks, sep="\n", markup=False)
    if tables_of_tokens := equal_token_tables(equal, console.width):
        console.print("", *tables_of_tokens, sep="\n", markup=False)
    for strategy, options in options_in_words(manifest, (row.strategy for row in rows)).items():
        if options:
            console.print(f"{strategy}: {options}", markup=False)
    share = num_generated / num_sampled if num_sampled else 1.0
    say(f"{num_generated:,} tokens were generated for {num_sampled:,} in the records ({share:.0%}); records: {folder}")
    for model, (seconds, num_tokens) in times.items():
        if seconds:
            say(f"{model}: {seconds:,.1f} s with grading, {num_tokens / seconds:,.0f} tokens/s generated")
