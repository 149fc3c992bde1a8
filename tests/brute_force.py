"""Delimiters, found by brute force."""

from collections.abc import Sequence
from typing import Any


def first_end(delimiter: Any, ids: Sequence[int]) -> tuple[int, int] | None:
    """Where the first delimiter ends (the number of ids up to there), and how many ids it takes."""
    for end in range(1, len(ids) + 1):
        for size in range(1, end + 1):
            if is_delimiter(delimiter, ids[end - size : end]):
                return end, size
    return None


def is_delimiter(delimiter: Any, ids: Sequence[int]) -> bool:
    if hasattr(delimiter, "pieces"):
        return delimiter.text.encode() in b"".join(delimiter.pieces[token] for token in ids)
    return tuple(ids) == delimiter.ids


def beginning(delimiter: Any, ids: Sequence[int]) -> int:
    """How many of the last ids are the longest unfinished beginning of the delimiter."""
    if not hasattr(delimiter, "pieces"):
        fitting = [n for n in range(1, len(delimiter.ids)) if n <= len(ids) and tuple(ids[-n:]) == delimiter.ids[:n]]
        return max(fitting, default=0)
    text, whole = b"".join(delimiter.pieces[token] for token in ids), delimiter.text.encode()
    length = max(n for n in range(len(whole)) if text.endswith(whole[:n]))
    return next(n for n in range(len(ids) + 1) if len(text) - _length(delimiter, ids[: len(ids) - n]) >= length)


def _length(delimiter: Any, ids: Sequence[int]) -> int:
    return sum(len(delimiter.pieces[token]) for token in ids)
