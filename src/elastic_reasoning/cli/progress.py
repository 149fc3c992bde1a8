"""Progress of long work, on a terminal's standard error.

What takes a while to begin, such as loading torch, a model or records, logs a message of level INFO when it does;
`show_stages` puts these on the terminal as lines that end with dots.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from elastic_reasoning.cli.output import new_console, note
from elastic_reasoning.core.printable import printable


class _Stages(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(f"{record.getMessage()}{' ...' * (record.levelno == logging.INFO)}")


def show_stages() -> None:
    """Say what is being done from now on, where a person watches standard error; elsewhere nothing is said."""
    logger = logging.getLogger("elastic_reasoning")
    if sys.stderr.isatty() and not logger.handlers:
        logger.setLevel(logging.INFO)
        logger.addHandler(_Stages())


class Bar(NamedTuple):
    """What moves a bar."""

    start: Callable[[int, int], None]
    """Set what is done, and the total."""
    advance: Callable[[], None]
    """One more is done."""
    tell: Callable[[str], None]
    """Show a few words beside it."""


@contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """A bar. Nothing is shown where there is no terminal; it appears with the first total."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = new_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(printable(title), total=None, visible=False)
        yield Bar(
            lambda done, total: progress.update(bar, completed=done, total=total, visible=True),
            lambda: progress.advance(bar),
            lambda status: progress.update(bar, description=printable(f"{title}: {status}")),
        )
