"""Progress of long work, on a terminal's standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from elastic_reasoning.cli.output import new_console
from elastic_reasoning.printable import printable


@contextmanager
def progress_bar(title: str) -> Iterator[tuple[Callable[[int, int], None], Callable[[], None]]]:
    """A bar: (set what is done and the total, one more is done). Nothing is shown where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = new_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(printable(title), total=None)
        yield (
            lambda done, total: progress.update(bar, completed=done, total=total),
            lambda: progress.advance(bar),
        )
