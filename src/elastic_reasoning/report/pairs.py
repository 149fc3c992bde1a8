"""Settings set against each other problem by problem: which of one run are worth it, and the table of them.

rich.print(pairs_table(pairs_of(records)))
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rich import box
from rich.markup import escape
from rich.table import Table

from elastic_reasoning.analysis.compare import Paired, compare_runs, holm
from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.columns import NOTHING
from elastic_reasoning.report.layout import fits, lines_of
from elastic_reasoning.report.names import short_names


def pairs_of(records: Iterable[Record]) -> list[Paired]:
    """Every model against the first one, and every strategy against separate budgeting, the rest being the same.

    p_holm is corrected for all pairs of the list. Pairs without a common problem are left out.
    """
    groups = by_setting(Records.of(records).graded())
    problems = {setting: set(group["problem"].tolist()) for setting, group in groups.items()}
    shared = [(a, b) for a, b in _worthwhile(list(groups)) if problems[a] & problems[b]]
    pairs = [compare_runs(groups[a], groups[b])[0] for a, b in shared]
    corrected = holm([pair.p_value for pair in pairs])
    return [replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True)]


def _worthwhile(settings: Sequence[Setting]) -> list[tuple[Setting, Setting]]:
    present = set(settings)
    first = settings[0].model if settings else ""
    pairs = []
    for setting in settings:
        for other in (replace(setting, model=first), replace(setting, strategy=DEFAULT_STRATEGY)):
            if other in present and other != setting:
                pairs.append((other, setting))
    return pairs


def points(difference: float, se: float | None) -> str:
    """A difference of two shares in percentage points, with its standard error where that is known."""
    return f"{100 * difference:+z.1f}" + ("" if se is None else f" ± {100 * se:.1f}")


def p_text(p_value: float | None) -> str:
    """A p-value to three places."""
    return NOTHING if p_value is None else "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


COLUMNS: dict[str, Callable[[Paired], str]] = {
    "a": lambda pair: f"{pair.accuracy_a:.1%}",
    "b": lambda pair: f"{pair.accuracy_b:.1%}",
    "b - a": lambda pair: points(pair.difference, pair.se),
    "p": lambda pair: p_text(pair.p_holm),
    "won:lost\n:tied": lambda pair: f"{pair.num_won}:{pair.num_lost}:{pair.num_tied}",
    "tokens\nb - a": lambda pair: f"{pair.tokens_difference:+z.1f}",
}
SHED = ("won:lost\n:tied", "tokens\nb - a", "p", "a", "b")
"""Columns in the order in which they go where the terminal is too narrow for all."""


def pairs_table(pairs: Sequence[Paired], width: int = 80) -> Table:
    """A rich table for a terminal of that width; a setting that has the same name on both sides is named once.

    Names are broken behind their slashes and then columns are left out until it fits.
    """
    titles = list(COLUMNS)
    for shed in ("", *SHED):
        titles = [title for title in titles if title != shed]
        tables = [_table(pairs, titles, max(12, width // part)) for part in (2, 3, 4)]
        table = next((table for table in tables if fits(table, width)), tables[0])
        if fits(table, width):
            break
    table.caption, table.caption_justify = _about(pairs), "left"
    return table


def _table(pairs: Sequence[Paired], titles: Sequence[str], name_width: int) -> Table:
    names = short_names(side.model for pair in pairs for side in (pair.a, pair.b))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("a → b", overflow="fold", vertical="bottom")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True, vertical="bottom")
    for pair in pairs:
        sides = dict.fromkeys(str(replace(side, model=names[side.model])) for side in (pair.a, pair.b))
        named = "\n→ ".join(lines_of(side, name_width) for side in sides)
        table.add_row(escape(named), *(COLUMNS[title](pair) for title in titles))
    return table


def _about(pairs: Sequence[Paired]) -> str:
    shared, only_a, only_b = (
        max((getattr(pair, name) for pair in pairs), default=0) for name in ("num_problems", "num_only_a", "num_only_b")
    )
    left_out = f" ({only_a} only in a and {only_b} only in b are left out)" if only_a or only_b else ""
    return (
        f"{shared} problems in both{left_out}; b - a in points ± one standard error, clustered by problem; "
        "p for no difference, corrected for all rows (Holm)"
    )
