"""How a thinking delimiter is recognised in sampled tokens, and how it is forced.

A delimiter made of special tokens has one spelling in ids. One that is written as plain text can be
tokenised in several ways (`</`, `think`, `>` or `</`, `think`, `>\\n`), so it is matched on the bytes that its tokens
write.

Both kinds answer the same questions: which ids are forced (`forced`), after which sampled ids one must look
(`watch`), how many of the last ids are the delimiter (`ends`), how many are a beginning that can be completed
(`begun`), and how many may still become the delimiter (`pending`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol


class Delimiter(Protocol):
    """What a strategy and an interpreter need to know of a delimiter."""

    @property
    def text(self) -> str:
        """The delimiter as text."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The delimiter itself, in its usual spelling."""

    @property
    def forced(self) -> tuple[int, ...]:
        """The ids that are forced: the delimiter, and what its format wants behind it."""

    @property
    def watch(self) -> frozenset[int]:
        """Every id that could complete the delimiter when it is sampled."""

    @property
    def most_forced(self) -> int:
        """The most ids that may have to be forced: completing a half-written one can take more than writing it."""

    @property
    def longest(self) -> int:
        """The most ids that can spell it when it is sampled, but for ids that write nothing."""

    def alone(self) -> "Delimiter":
        """The delimiter, forced without what its format wants behind it."""

    def ends(self, ids: Sequence[int]) -> int:
        """How many of the last ids are the delimiter: 0 if it does not end here."""

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """How many of the last ids are its longest unfinished beginning, and the ids that complete it."""

    def pending(self, ids: Sequence[int]) -> int:
        """How many of the last ids may still become part of the delimiter, whether or not ids can complete them."""


@dataclass(frozen=True, slots=True)
class TokenDelimiter:
    """A delimiter with a single spelling of one or several token ids.

    Attributes:
        text, ids: the delimiter.
        follow: ids that are forced behind a forced delimiter.
    """

    text: str
    ids: tuple[int, ...]
    follow: tuple[int, ...] = ()

    @property
    def forced(self) -> tuple[int, ...]:
        return (*self.ids, *self.follow)

    @property
    def watch(self) -> frozenset[int]:
        return frozenset(self.ids[-1:])

    @property
    def most_forced(self) -> int:
        return len(self.forced)

    @property
    def longest(self) -> int:
        return len(self.ids)

    def alone(self) -> "TokenDelimiter":
        return replace(self, follow=())

    def ends(self, ids: Sequence[int]) -> int:
        size = len(self.ids)
        return size if tuple(ids[-size:]) == self.ids else 0

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        for size in range(min(len(self.ids) - 1, len(ids)), 0, -1):
            if tuple(ids[-size:]) == self.ids[:size]:
                return size, self.forced[size:]
        return 0, self.forced

    def pending(self, ids: Sequence[int]) -> int:
        return self.begun(ids)[0] if ids and ids[-1] in self.ids else 0


@dataclass(frozen=True, slots=True, eq=False)
class TextDelimiter:
    """A delimiter of plain text, whatever tokens spell it.

    The token that begins or completes it may carry other text too: the whole token is taken as the delimiter's.

    Attributes:
        text: the delimiter.
        rests: at index c, the ids that write the delimiter from byte c on; none where no ids can.
        pieces: the bytes that each token id of the vocabulary writes behind another one.
        watch: every id that could complete the delimiter.
        follow: ids that are forced behind a forced delimiter.
    """

    text: str
    rests: tuple[tuple[int, ...], ...]
    pieces: Sequence[bytes]
    watch: frozenset[int]
    follow: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        text: str,
        pieces: Sequence[bytes],
        spell: Callable[[bytes], tuple[int, ...] | None],
        follow: tuple[int, ...] = (),
    ) -> "TextDelimiter":
        """Derive what is watched and forced from what the vocabulary writes; `spell` turns bytes into ids."""
        written = text.encode()
        ends = tuple(written[start:] for start in range(1, len(written)))
        watch = frozenset(
            index for index, piece in enumerate(pieces) if piece and (piece.startswith(ends) or written in piece)
        )
        rests = tuple(spell(written[start:]) or () for start in range(len(written)))
        return cls(text, rests, pieces, watch, follow)

    @property
    def ids(self) -> tuple[int, ...]:
        return self.rests[0]

    @property
    def forced(self) -> tuple[int, ...]:
        return (*self.ids, *self.follow)

    @property
    def most_forced(self) -> int:
        return max(map(len, self.rests)) + len(self.follow)

    @property
    def longest(self) -> int:
        return len(self.text.encode())

    def alone(self) -> "TextDelimiter":
        return replace(self, follow=())

    def _piece(self, token: int) -> bytes:
        """What an id writes; one that only pads a model's vocabulary writes nothing."""
        return self.pieces[token] if token < len(self.pieces) else b""

    def ends(self, ids: Sequence[int]) -> int:
        last, wanted = len(self._piece(ids[-1])) if ids else 0, self.text.encode()
        written = b""
        for size in range(1, len(ids) + 1):
            written = self._piece(ids[-size]) + written
            before = written[: len(written) - last]
            if wanted in written:
                return 0 if wanted in before else size
            if len(before) >= len(wanted):
                break
        return 0

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        for size, length in self._beginnings(ids):
            if self.rests[length]:
                return size, (*self.rests[length], *self.follow)
        return 0, self.forced

    def pending(self, ids: Sequence[int]) -> int:
        return next((size for size, _ in self._beginnings(ids)), 0)

    def _beginnings(self, ids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """(how many of the last ids, how many bytes of the delimiter they write), the longest beginning first."""
        wanted, written, sizes = self.text.encode(), b"", []  # sizes[c] = tokens that cover the last c + 1 bytes
        for size in range(1, len(ids) + 1):
            piece = self._piece(ids[-size])
            sizes.extend([size] * len(piece))
            written = piece + written
            if len(written) >= len(wanted):
                break
        for length in range(min(len(wanted) - 1, len(written)), 0, -1):
            if written.endswith(wanted[:length]):
                yield sizes[length - 1], length


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
    def forced(self) -> tuple[int, ...]:
        return self.parts[0].forced

    @property
    def watch(self) -> frozenset[int]:
        return frozenset[int]().union(*(part.watch for part in self.parts))

    @property
    def most_forced(self) -> int:
        return self.parts[0].most_forced

    @property
    def longest(self) -> int:
        return max(part.longest for part in self.parts)

    def alone(self) -> "AnyDelimiter":
        return AnyDelimiter(tuple(part.alone() for part in self.parts))

    def ends(self, ids: Sequence[int]) -> int:
        return next((size for part in self.parts if (size := part.ends(ids))), 0)

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        return self.parts[0].begun(ids)

    def pending(self, ids: Sequence[int]) -> int:
        return max(part.pending(ids) for part in self.parts)


REACH = 128
"""Ids that a delimiter has at the most: so many are looked at."""


def written(delimiter: Delimiter, ids: Sequence[int]) -> list[int]:
    """How many ids there are up to each end of a delimiter."""
    return [
        n for n, token in enumerate(ids, 1) if token in delimiter.watch and delimiter.ends(ids[max(0, n - REACH) : n])
    ]
