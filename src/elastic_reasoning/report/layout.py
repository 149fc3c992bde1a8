"""Tables for any width of terminal: what stands first stays, what does not fit goes, or goes below.

for part in parts_of(["mini/elastic/24+20"], {"thinking": ["24.0"], "repeats": ["0.013"]}, width=40):
    console.print(part)
"""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

BOUNDLESS = 10_000


def fits(table: Table, width: int) -> bool:
    """Whether a table needs no more than so many columns for every cell to stay as it is."""
    return Console(width=BOUNDLESS).measure(table).maximum <= width


def lines_of(name: str, width: int) -> str:
    """A setting's name in lines of at most so many letters, broken behind its slashes where that will do."""
    lines = [""]
    for part in name.split("/"):
        if lines[-1] and len(lines[-1]) + len(part) + 1 > width:
            lines.append("")
        lines[-1] += f"{part}/"
    return "\n".join(lines).removesuffix("/")


def plain_table() -> Table:
    """A table without edges, in which the box alone keeps columns apart."""
    return Table(box=box.SIMPLE_HEAD, padding=0, header_style="bold", show_edge=False, pad_edge=False)


def parts_of(names: Sequence[str], columns: Mapping[str, Sequence[str]], width: int, heading: str) -> list[Table]:
    """Columns of numbers beside the names of their rows, in as many tables as the width asks for.

    Args:
        names: of the rows; each table repeats them.
        columns: by title, one cell for each row.
        width: of the terminal.
        heading: over the names.
    """
    names = [lines_of(name, max(12, width // 2)) for name in names]
    parts: list[dict[str, Sequence[str]]] = [{}]
    for title, cells in columns.items():
        wider = {**parts[-1], title: cells}
        if parts[-1] and not fits(_part(names, wider, heading), width):
            parts.append({title: cells})
        else:
            parts[-1] = wider
    return [_part(names, part, heading) for part in parts]


def _part(names: Sequence[str], columns: Mapping[str, Sequence[str]], heading: str) -> Table:
    table = plain_table()
    table.add_column(heading, overflow="fold", vertical="bottom")
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True, vertical="bottom")
    for number, name in enumerate(names):
        table.add_row(escape(name), *(cells[number] for cells in columns.values()))
    return table
