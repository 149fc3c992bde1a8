"""The console that tables are printed to: as wide as the terminal, and 120 columns where there is none."""

import os
from typing import TYPE_CHECKING

from elastic_reasoning.cli.output import new_console

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_FILES = 120
"""Columns of a table that does not go to a terminal."""


def table_console() -> "Console":
    """A console of the terminal's width, or of `COLUMNS`, or of what suits a file."""
    console = new_console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = new_console(width=WIDTH_OF_FILES, highlight=False)
    return console
