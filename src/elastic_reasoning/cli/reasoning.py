"""`elastic reasoning`: how the thinking itself differs between settings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.analysis.reasoning import (
    Change,
    ReasoningRow,
    Side,
    changes,
    reasoning_rows,
    side_by_side,
)
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.console import table_console
from elastic_reasoning.cli.forced import FORCED_STYLE, has_colour, marked
from elastic_reasoning.cli.output import say_json
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.setting import Setting, chosen
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.measures import MEASURES, STEPS, WORDING
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import TENTHS
from elastic_reasoning.report.layout import parts_of, plain_table

NOTHING = "–"
WIDE = 80
"""Columns of a terminal that has room for whole sentences beside numbers."""
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
    """Whose thinking to look at."""

    records: str = ""
    """Folder that a sweep has written; the first argument may stand for it."""
    settings: tuple[str, ...] = ()
    """Settings of it, each as MODEL/STRATEGY/BUDGET or a part of that (mini, elastic/24+20); two are compared on
    the same problems. All if empty.
    """
    problem: str = ""
    """Id of a problem whose thoughts are shown beside each other."""
    json: bool = False
    """Print everything as JSON."""


EXAMPLE = """
elastic reasoning runs/sweep
elastic reasoning runs/sweep --settings mini/elastic/24+20,mini-e1/elastic/24+20 --problem arithmetic-0a1b2c3d4e5f
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
    _, records = read_records(config.records)
    settings = chosen(by_setting(records), config.settings, "--settings")
    records = records.under(settings)
    rows = reasoning_rows(records)
    changed = changes(records, *settings) if len(settings) == 2 else []
    sides = side_by_side(records, config.problem, settings) if config.problem else []
    if config.json:
        parts = {
            "rows": [asdict(row) for row in rows],
            "changes": [asdict(change) for change in changed],
            "sides": [asdict(side) for side in sides],
        }
        say_json(parts)
        return 0
    console = table_console()
    for measures in (WORDING, STEPS):
        if any(getattr(row, name) is not None for row in rows for name in measures):
            console.print(*rows_tables(rows, measures, console.width), sep="\n")
    console.print(*lengths_tables(rows, console.width), sep="\n")
    if changed:
        console.print(changes_table(changed, settings[0], settings[1], console.width))
    for side in sides:
        console.print(_shown(side, has_colour(console)))
    return 0


def rows_tables(rows: Sequence[ReasoningRow], measures: Mapping[str, str], width: int) -> list[Table | str]:
    """The means of each setting, and what they are; a measure that no setting has is left out."""
    shown = [name for name in measures if any(getattr(row, name) is not None for row in rows)]
    columns = {TITLES[name]: [_number(getattr(row, name)) for row in rows] for name in shown}
    about = [f"{TITLES[name].replace('-' + chr(10), '').replace(chr(10), ' ')}: {measures[name]}" for name in shown]
    return [*parts_of(_names(rows), columns, width, "setting"), "\n".join(about)]


def lengths_tables(rows: Sequence[ReasoningRow], width: int) -> list[Table | str]:
    """How long the parts of thoughts are, by where they begin."""
    cells = [[NOTHING if n is None else f"{n:.1f}" for n in row.length_by_tenth] for row in rows]
    columns = {f"{10 * tenth}%": [row[tenth] for row in cells] for tenth in range(TENTHS)}
    about = "words of a sentence, line or step, by the tenth of the thought in which it begins"
    return [*parts_of(_names(rows), columns, width, "setting"), about]


def _names(rows: Sequence[ReasoningRow]) -> list[str]:
    return [str(Setting.of(row.model, row.strategy, row.budget)) for row in rows]


def changes_table(changed: Sequence[Change], a: Setting, b: Setting, width: int) -> Table:
    """Both means of each measure, and the difference with its standard error; in short words where it is narrow."""
    wide = width >= WIDE
    table = plain_table()
    table.add_column("on the same problems")
    for title in ("a", "b", "b - a", *(["problems"] if wide else [])):
        table.add_column(title, justify="right", no_wrap=True)
    for change in changed:
        se = "" if change.se is None else f" ± {_number(change.se)}"
        sign = "+" if change.difference >= 0 else "-"
        table.add_row(
            MEASURES[change.measure] if wide else change.measure.replace("_", " "),
            _number(change.a),
            _number(change.b),
            f"{sign}{_number(abs(change.difference))}{se}",
            *([str(change.num_problems)] if wide else []),
        )
    table.caption, table.caption_justify = f"a: {a}\nb: {b}", "left"
    return table


def _shown(side: Side, colour: bool) -> Table:
    table = plain_table()
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    verdict = "correct" if side.correct else "wrong"
    name = Setting.of(side.model, side.strategy, side.budget)
    table.add_row("", escape(f"{name}, sample {side.sample}: {verdict}"))
    for phase in (Phase.THINKING, Phase.SOLUTION):
        parts = [part for part in side.segments if part["phase"] == phase or _closes(part, phase)]
        pieces = [
            (f"{marked(part['text'], part['sampled'], colour)} ", "" if part["sampled"] else FORCED_STYLE)
            for part in parts
        ]
        table.add_row(str(phase), Text.assemble(*pieces))
    return table


def _closes(part: Part, phase: Phase) -> bool:
    """Whether a segment is the forced end of thinking: it is shown with it."""
    return phase == Phase.THINKING and part["phase"] in (Phase.WRAP_UP, Phase.CLOSING) and not part["sampled"]


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
