"""`elastic reasoning`: how the thinking itself differs between settings."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.sweep import WIDTH_OF_FILES
from elastic_reasoning.errors import UsageError, unknown
from elastic_reasoning.evaluation.metrics import Setting, by_setting
from elastic_reasoning.evaluation.reasoning import (
    MEASURES,
    STEPS,
    WORDING,
    Change,
    ReasoningRow,
    Side,
    changes,
    reasoning_rows,
    side_by_side,
)
from elastic_reasoning.evaluation.record import Record
from elastic_reasoning.evaluation.records import read_records
from elastic_reasoning.evaluation.wording import TENTHS

NOTHING = "–"
TITLES = {
    "thinking_tokens": "thinking",
    "reflections": "reflect\n/1000",
    "repetition": "repeats",
    "compression": "deflated",
    "short_steps": "short",
    "full_steps": "full",
    "verified_steps": "veri-\nfied",
    "checks_per_step": "check\n/step",
    "restated": "re-\nsaid",
    "passes": "pass-\nes",
    "wrong_steps": "wrong",
    "unread_words": "un-\nread",
}


@dataclass(frozen=True)
class ReasoningConfig:
    """Whose thinking to look at.

    Attributes:
        records: folder that a sweep has written; the first argument may stand for it.
        settings: settings of it, each as MODEL STRATEGY BUDGET; two are compared on the same problems. All if empty.
        problem: id of a problem whose thoughts are shown beside each other.
        json: print everything as JSON.
    """

    records: str = ""
    settings: tuple[str, ...] = ()
    problem: str = ""
    json: bool = False


EXAMPLE = """
elastic reasoning runs/sweep
elastic reasoning runs/sweep --settings "mini elastic 24+20,mini-e1 elastic 24+20" --problem arithmetic-0a1b2c3d4e5f
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        ReasoningConfig,
        argv,
        command="reasoning",
        about="Show how the thinking itself differs between settings: its steps, its reflection, its repetition.",
        example=EXAMPLE,
        positional="records",
    )
    if not config.records:
        raise UsageError("no folder of records: elastic reasoning runs/sweep")
    _, records = read_records(Path(config.records))
    settings = _settings(records, config.settings)
    records = [record for record in records if (record.model, record.strategy, record.budget) in settings]
    rows = reasoning_rows(records)
    changed = changes(records, *settings) if len(settings) == 2 else []
    sides = side_by_side(records, config.problem, settings) if config.problem else []
    if config.json:
        parts = {
            "rows": [asdict(row) for row in rows],
            "changes": [asdict(change) for change in changed],
            "sides": [asdict(side) for side in sides],
        }
        print(json.dumps(parts))
        return 0
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=WIDTH_OF_FILES)
    for measures in (WORDING, STEPS):
        if any(getattr(row, name) is not None for row in rows for name in measures):
            console.print(rows_table(rows, measures))
    console.print(lengths_table(rows))
    if changed:
        console.print(changes_table(changed, *settings))
    for side in sides:
        console.print(_shown(side))
    return 0


def _settings(records: Sequence[Record], named: Sequence[str]) -> list[Setting]:
    """The settings of these names, in their order; all if none is named."""
    known = {" ".join(setting): setting for setting in by_setting(records)}
    names = [" ".join(name.split()) for name in named] or list(known)
    for name in names:
        if name not in known:
            raise UsageError(unknown("setting", name, known))
    return [known[name] for name in dict.fromkeys(names)]


def rows_table(rows: Sequence[ReasoningRow], measures: Mapping[str, str]) -> Table:
    """The means of each setting; a measure that no setting has is left out."""
    shown = [name for name in measures if any(getattr(row, name) is not None for row in rows)]
    table = _settings_table([TITLES[name] for name in shown])
    for row in rows:
        _add(table, row, [_number(getattr(row, name)) for name in shown])
    table.caption = "\n".join(
        f"{TITLES[name].replace('-' + chr(10), '').replace(chr(10), ' ')}: {measures[name]}" for name in shown
    )
    table.caption_justify = "left"
    return table


def lengths_table(rows: Sequence[ReasoningRow]) -> Table:
    """How long the parts of thoughts are, by where they begin."""
    table = _settings_table([f"{10 * tenth}%" for tenth in range(TENTHS)])
    for row in rows:
        _add(table, row, [NOTHING if length is None else f"{length:.1f}" for length in row.length_by_tenth])
    table.caption = "words of a sentence, line or step, by the tenth of the thought in which it begins"
    table.caption_justify = "left"
    return table


def _settings_table(titles: Sequence[str]) -> Table:
    table = _table()
    table.add_column("model", overflow="fold", vertical="bottom", min_width=7)
    table.add_column("strategy", no_wrap=True, vertical="bottom")
    for title in ("budget", *titles):
        table.add_column(title, justify="right", no_wrap=True, vertical="bottom")
    return table


def _add(table: Table, row: ReasoningRow, cells: Sequence[str]) -> None:
    table.add_row(escape(row.model), escape(row.strategy), row.budget, *cells)


def changes_table(changed: Sequence[Change], a: Setting, b: Setting) -> Table:
    """Both means of each measure, and the difference with its standard error."""
    table = _table()
    table.add_column("on the same problems")
    for title in (" ".join(a), " ".join(b), "difference", "problems"):
        table.add_column(escape(title), justify="right")
    for change in changed:
        se = "" if change.se is None else f" ± {_number(change.se)}"
        sign = "+" if change.difference >= 0 else "-"
        table.add_row(
            MEASURES[change.measure],
            _number(change.a),
            _number(change.b),
            f"{sign}{_number(abs(change.difference))}{se}",
            str(change.num_problems),
        )
    return table


def _shown(side: Side) -> Table:
    table = _table()
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    verdict = "correct" if side.correct else "wrong"
    table.add_row("", escape(f"{side.model} {side.strategy} {side.budget}, sample {side.sample}: {verdict}"))
    table.add_row("thinking", escape(side.thinking))
    table.add_row("solution", escape(side.solution))
    return table


def _table() -> Table:
    # The box keeps columns apart: without padding they fit into 80 characters.
    return Table(box=box.SIMPLE_HEAD, padding=0, header_style="bold", show_edge=False, pad_edge=False)


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
