"""Forced tokens told apart from sampled ones: by colour, and by words where a console shows none.

marked("</think>", sampled=False, colour=has_colour(console))      # [forced: </think>] where there is no colour
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

OPEN, CLOSE = "[forced: ", "]"
FORCED_STYLE = "black on yellow"


def has_colour(console: "Console") -> bool:
    """Whether a style can be seen there: on a terminal that has colours, and whose user has not declined them."""
    return console.color_system is not None and not console.no_color


def marked(text: str, sampled: bool, colour: bool) -> str:
    """A whole piece of text, with words around it where it was forced and no colour can say so."""
    return text if sampled or colour else f"{OPEN}{text}{CLOSE}"
