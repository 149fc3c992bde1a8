"""Text to ids and ids to text, as they stand in the middle of a text.

A SentencePiece tokenizer puts a blank before every text that it encodes and takes one off every text that it decodes.
What is forced stands behind other tokens, where that blank would be written; and a token decoded alone does not show
the blank that it writes there. A byte-level or byte-fallback vocabulary has tokens that are parts of a character, which
alone have no text at all. Tokens are therefore compared as the bytes that they write behind another token.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

BEFORE = "\n", ".", "a"
"""Texts behind which a text is encoded where it does not come out exact alone."""
LONGEST_KEPT, MOST_KEPT = 1000, 1000
"""Letters, and texts, of which it is remembered how they are encoded: requests force the same few again and again."""
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>$")
NO_CHARACTER = "\ufffd"


def _byte_of_letter() -> dict[str, int]:
    """The byte for which each letter of a byte-level vocabulary stands, as GPT-2 chose them."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


LETTERS = _byte_of_letter()


def whole_letters(text: str) -> str:
    """A text without halves of letters, which JSON may hold and no tokenizer takes: as what stands for no letter."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Codec:
    """A tokenizer with nothing added and nothing left out.

    Args:
        tokenizer: a Hugging Face tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, bytes] = {}
        self._encoded: dict[str, tuple[int, ...]] = {}
        self._anchor = list(self._plain("a"))[-1:]
        self._base = self.decode(self._anchor)

    @cached_property
    def num_tokens(self) -> int:
        """Size of the vocabulary."""
        return int(max(self._tokenizer.get_vocab().values())) + 1

    @cached_property
    def pieces(self) -> list[bytes]:
        """What each id of the vocabulary writes behind another token."""
        return [self.piece(index) for index in range(self.num_tokens)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens kept."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids that write a text behind another token, without special tokens around it.

        Where the tokenizer cannot write it exactly, as one that folds case, what it makes of the text alone.
        """
        ids = self._encoded.get(text)
        if ids is None:
            ids = self._exact(text, text.encode(errors="replace")) or self._plain(text)
            if len(text) <= LONGEST_KEPT:
                if len(self._encoded) >= MOST_KEPT:
                    self._encoded.clear()
                self._encoded[text] = ids
        return ids

    def spell(self, wanted: bytes) -> tuple[int, ...] | None:
        """The ids that write these bytes behind another token; `None` where the vocabulary cannot write them."""
        try:
            ids = self._exact(wanted.decode(), wanted)
        except UnicodeDecodeError:  # from the middle of a character on
            ids = None
        return ids or self._fewest(wanted)

    def _plain(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False)) if text else ()

    def _exact(self, text: str, wanted: bytes) -> tuple[int, ...] | None:
        return next((ids for ids in self._spellings(text) if self._write(ids) == wanted), None)

    def _spellings(self, text: str) -> Iterator[tuple[int, ...]]:
        yield self._plain(text)
        for before in BEFORE:
            head, both = self._plain(before), self._plain(before + text)
            if both[: len(head)] == head:
                yield both[len(head) :]

    def _write(self, ids: Sequence[int]) -> bytes:
        return b"".join(map(self.piece, ids))

    def piece(self, index: int) -> bytes:
        """What an id writes behind another token."""
        if index not in self._known:
            self._known[index] = self._read(index)
        return self._known[index]

    def _read(self, index: int) -> bytes:
        both = self.decode([*self._anchor, index])
        text = both[len(self._base) :] if both.startswith(self._base) else self.decode([index])
        if NO_CHARACTER not in text:
            return text.encode(errors="replace")
        name = str(self._tokenizer.convert_ids_to_tokens(index))
        if found := BYTE.match(name):
            return bytes([int(found[1], 16)])
        return bytes(LETTERS[letter] for letter in name) if set(name) <= LETTERS.keys() else text.encode()

    def _fewest(self, wanted: bytes) -> tuple[int, ...] | None:
        """The fewest ids that write these bytes; of equal ones those that are longer at the beginning."""
        best: dict[int, tuple[int, ...]] = {len(wanted): ()}
        for start in range(len(wanted) - 1, -1, -1):
            ends = (end for end in range(len(wanted), start, -1) if end in best and wanted[start:end] in self._by_piece)
            found = [(self._by_piece[wanted[start:end]], *best[end]) for end in ends]
            if found:
                best[start] = min(found, key=len)
        return best.get(0)

    @cached_property
    def _by_piece(self) -> dict[bytes, int]:
        special = set(self._tokenizer.all_special_ids)
        kept = [(piece, index) for index, piece in enumerate(self.pieces) if piece and index not in special]
        return dict(reversed(kept))


def text_of(pieces: Sequence[bytes], ids: Sequence[int]) -> bytes:
    """What ids write; those that only pad a model's vocabulary write nothing."""
    return b"".join(chain.from_iterable((pieces[token],) for token in ids if token < len(pieces)))
