"""Ids to text as they come: no half letter is shown, and no text at which a client wants to stop."""

from collections.abc import Callable, Sequence

HALF = "\ufffd"
"""What a tokenizer makes of a letter that is not whole."""
CONTEXT = 4
"""Ids before the first new one that are decoded with it: what stands before a token may change its text."""
MOST_HELD = 8
"""Ids of a letter that is not whole; with more of them it is none."""


class Detokenizer:
    """Decodes one text token by token.

    Args:
        decode: ids to text.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._num_shown = 0

    def add(self, ids: Sequence[int]) -> str:
        """The text that these ids add; what ends within a letter is held back."""
        self._ids += ids
        return self._show(hold=True)

    def end(self) -> str:
        """What was held back."""
        return self._show(hold=False)

    def _show(self, hold: bool) -> str:
        if self._num_shown == len(self._ids):
            return ""
        before = self._ids[max(0, self._num_shown - CONTEXT) : self._num_shown]
        known, text = self._decode(before) if before else "", self._decode(before + self._ids[self._num_shown :])
        if hold and text.endswith(HALF) and len(self._ids) - self._num_shown < MOST_HELD:
            return ""
        self._num_shown = len(self._ids)
        del self._ids[: max(0, self._num_shown - CONTEXT)]
        self._num_shown = len(self._ids)
        return text[len(known) :]


class Stops:
    """Looks for texts at which to stop.

    Attributes:
        found: the text that was found.

    Args:
        texts: none of them empty.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._held = ""
        self.found: str | None = None

    def add(self, text: str) -> str:
        """The text up to where to stop, without what may still become part of such a text."""
        if self.found is not None:
            return ""
        text = self._held + text
        ends = [(text.find(stop), stop) for stop in self._texts if stop in text]
        if ends:
            end, self.found = min(ends)
            self._held = ""
            return text[:end]
        held = max((_begun(text, stop) for stop in self._texts), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return held


def _begun(text: str, stop: str) -> int:
    """How many of the last letters may begin a text at which to stop."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
