"""Where commands print: what a model, a server or a file wrote is shown, and obeyed by no terminal.

    say(f"page: {path}")            # instead of print
    note(task.note)                 # the same on standard error
    say_json(result)                # one line of JSON
    new_console().print(table)          # instead of rich's own Console

Escapes are the same into a file or a pipe: what is in a file is shown on a terminal later.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from elastic_reasoning.core.printable import printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str = "", *, end: str = "\n", flush: bool = False) -> None:
    """Print a text."""
    print(printable(text), end=end, flush=flush)


def note(text: str) -> None:
    """Print a text on standard error."""
    print(printable(text), file=sys.stderr)


def say_json(value: Any, *, indent: int | None = None, flush: bool = False) -> None:
    """Print a value as JSON."""
    print(printable_json(value, indent), flush=flush)


def new_console(**settings: Any) -> "Console":
    """A console of rich that prints only what is printable; rich's own control codes are kept.

    Args:
        settings: those of rich's `Console`.
    """
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
    from rich.measure import Measurement
    from rich.segment import Segment

    class Printable:
        def __init__(self, renderable: Any) -> None:
            self._renderable = renderable

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            for segment in console.render(self._renderable, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

        def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
            return Measurement.get(console, options, self._renderable)

    class PrintablesOnly(RenderHook):
        def process_renderables(self, renderables: Sequence[Any]) -> list[ConsoleRenderable]:
            return [Printable(each) for each in renderables]

    made = Console(**settings)
    made.push_render_hook(PrintablesOnly())
    return made
