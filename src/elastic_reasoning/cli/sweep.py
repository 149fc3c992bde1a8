"""`elastic sweep`: accuracy over budgets, strategies and models."""

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.cli.command import documented, parse
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.evaluation.metrics import generated_tokens, summarise
from elastic_reasoning.evaluation.records import Record, read_records
from elastic_reasoning.evaluation.sweep import SweepConfig, SweepResult, sweep

WIDTH_OF_FILES = 120
"""Columns of a table that does not go to a terminal."""

EXAMPLE = """
elastic sweep --models mini,mini-e1 --strategies elastic,vanilla,s1 --budgets 8+20,24+20,64+20 --limit 128 --out runs/s
elastic sweep --recipe recipes/demo.yaml --samples 4 --out runs/s4
elastic report runs/s
"""


@dataclass(frozen=True)
class SweepCommand(SweepConfig):
    """What a sweep measures, and how the command prints it."""

    __doc__ = documented(SweepConfig, "json: print the table as JSON.")
    json: bool = False


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
    show_table(Path(config.out), config.json)
    return 0


def run_with_progress(config: SweepConfig, command: str) -> SweepResult:
    """Sweep with a progress bar.

    Raises:
        KeyboardInterrupt: with a hint how to go on.
    """
    num_written = 0
    with progress_bar("sweep") as (start, advance):

        def count(record: Record) -> None:
            nonlocal num_written
            num_written += 1
            advance()

        try:
            result = sweep(config, start, count, on_note=lambda note: print(note, file=sys.stderr))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{num_written} new records are kept in {config.out}; to go on: {command}"
            ) from None
    if result.num_cut_bytes:
        print(f"a torn last line of {result.num_cut_bytes} bytes was cut off and made again", file=sys.stderr)
    if result.num_errors:
        print(f"{result.num_errors} requests could not be run; their errors are in the records", file=sys.stderr)
    return result


def show_table(folder: Path, as_json: bool) -> None:
    """Print the table of a folder of records, and what sharing saved."""
    from elastic_reasoning.report.table import results_table, rows_to_json

    _, records = read_records(folder)
    rows = summarise(records)
    num_sampled, num_generated = generated_tokens(records)
    if as_json:
        tokens = {"num_sampled_tokens": num_sampled, "num_generated_tokens": num_generated}
        print(json.dumps({"rows": json.loads(rows_to_json(rows)), **tokens}))
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=WIDTH_OF_FILES)
    console.print(results_table(rows, width=console.width))
    share = num_generated / num_sampled if num_sampled else 1.0
    print(
        f"{num_generated:,} tokens were generated for {num_sampled:,} in the records ({share:.0%}); records: {folder}"
    )
