"""How a thinking delimiter is recognised in sampled tokens, and how it is forced.

A delimiter made of special tokens has one spelling in ids. One that is written as plain text can be
tokenised in several ways (`</`, `think`, `>` or `</`, `think`, `>\\n`), so it is matched on decoded text.

Both kinds answer the same four questions: which ids are forced (`ids`), after which sampled ids one must look
(`watch`), how many of the last ids are the delimiter (`ends`), and how many are its beginning (`begun`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Delimiter(Protocol):
    """What a strategy and an interpreter need to know of a delimiter."""

    @property
    def text(self) -> str:
        """The delimiter as text."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids that are forced."""

    @property
    def watch(self) -> frozenset[int]:
        """Every id that could complete the delimiter when it is sampled."""

    @property
    def most_forced(self) -> int:
        """The most ids that may have to be forced: completing a half-written one can take more than writing it."""

    def ends(self, ids: Sequence[int]) -> int:
        """How many of the last ids are the delimiter: 0 if it does not end here."""

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """How many of the last ids are its longest unfinished beginning, and the ids that complete it."""


@dataclass(frozen=True, slots=True)
class TokenDelimiter:
    """A delimiter with a single spelling of one or several token ids."""

    text: str
    ids: tuple[int, ...]

    @property
    def watch(self) -> frozenset[int]:
        return frozenset(self.ids[-1:])

    @property
    def most_forced(self) -> int:
        return len(self.ids)

    def ends(self, ids: Sequence[int]) -> int:
        size = len(self.ids)
        return size if tuple(ids[-size:]) == self.ids else 0

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        for size in range(min(len(self.ids) - 1, len(ids)), 0, -1):
            if tuple(ids[-size:]) == self.ids[:size]:
                return size, self.ids[size:]
        return 0, self.ids


@dataclass(frozen=True, slots=True, eq=False)
class TextDelimiter:
    """A delimiter of plain text, whatever tokens spell it.

    The token that begins or completes it may carry other text too: the whole token is taken as the delimiter's.

    Attributes:
        text: the delimiter.
        rests: at index c, the ids that write the delimiter from character c on.
        pieces: the text of each token id of the vocabulary.
        watch: every id that could complete the delimiter.
    """

    text: str
    rests: tuple[tuple[int, ...], ...]
    pieces: Sequence[str]
    watch: frozenset[int]

    @classmethod
    def of(cls, text: str, pieces: Sequence[str], encode: Callable[[str], tuple[int, ...]]) -> "TextDelimiter":
        """Derive what is watched and forced from the vocabulary's texts."""
        ends = tuple(text[start:] for start in range(1, len(text)))
        watch = frozenset(
            index for index, piece in enumerate(pieces) if piece and (piece.startswith(ends) or text in piece)
        )
        rests = tuple(encode(text[start:]) for start in range(len(text)))
        return cls(text=text, rests=rests, pieces=pieces, watch=watch)

    @property
    def ids(self) -> tuple[int, ...]:
        return self.rests[0]

    @property
    def most_forced(self) -> int:
        return max(map(len, self.rests))

    def _piece(self, token: int) -> str:
        """The text of an id; one that only pads a model's vocabulary has none."""
        return self.pieces[token] if token < len(self.pieces) else ""

    def ends(self, ids: Sequence[int]) -> int:
        last = len(self._piece(ids[-1])) if ids else 0
        written = ""
        for size in range(1, len(ids) + 1):
            written = self._piece(ids[-size]) + written
            before = written[: len(written) - last]
            if self.text in written:
                return 0 if self.text in before else size
            if len(before) >= len(self.text):
                break
        return 0

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        written, sizes = "", []  # sizes[c] = tokens that cover the last c + 1 characters
        for size in range(1, len(ids) + 1):
            piece = self._piece(ids[-size])
            sizes.extend([size] * len(piece))
            written = piece + written
            if len(written) >= len(self.text):
                break
        for length in range(min(len(self.text) - 1, len(written)), 0, -1):
            if written.endswith(self.text[:length]):
                return sizes[length - 1], self.rests[length]
        return 0, self.ids


@dataclass(frozen=True, slots=True)
class AnyDelimiter:
    """Whichever of several delimiters ends. The first of them is the one that is forced and completed.

    Its text is a name, by which calls that wait for other delimiters are told apart: nothing is written so.
    """

    parts: tuple[Delimiter, ...]

    @property
    def text(self) -> str:
        return " or ".join(part.text for part in self.parts)

    @property
    def ids(self) -> tuple[int, ...]:
        return self.parts[0].ids

    @property
    def watch(self) -> frozenset[int]:
        return frozenset[int]().union(*(part.watch for part in self.parts))

    @property
    def most_forced(self) -> int:
        return self.parts[0].most_forced

    def ends(self, ids: Sequence[int]) -> int:
        return next((size for part in self.parts if (size := part.ends(ids))), 0)

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        return self.parts[0].begun(ids)


def _never(ids: Sequence[int]) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Tools:
    """How a model family marks a tool call.

    Attributes:
        opening: what opens a call.
        closing: what closes it.
        sign: the id that stands in a prompt where tools are offered; `None` where they always are.
        resumes: whether thinking goes on behind a call that was opened in it; otherwise the solution follows.
        in_progress: how many of the last ids are an unfinished opening that can be nothing else.
    """

    opening: Delimiter
    closing: Delimiter
    sign: int | None = None
    resumes: bool = False
    in_progress: Callable[[Sequence[int]], int] = _never

    def offered(self, prompt: Sequence[int]) -> bool:
        """Whether these ids of a prompt offer tools."""
        return self.sign is None or self.sign in prompt

    def opened(self, ids: Sequence[int]) -> int:
        """How many of the last ids open a call: 0 if none is open."""
        return self.opening.ends(ids) or self.in_progress(ids)
