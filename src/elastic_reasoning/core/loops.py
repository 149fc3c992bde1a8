"""Whether a text goes round in circles: its last tokens are one stretch, written over and over.

    repeats(ids, 64)       # whether the last 64 ids are a stretch of at most 21 of them, again and again

A pure function of the ids. It is asked at every `step(64)` tokens of a call alone, so that it costs nothing beside a
model, and no more calls of a server than need be.
"""

from collections.abc import Sequence

TIMES = 3
"""How often a stretch must have been written at the least."""


def step(num_tokens: int) -> int:
    """Every how many tokens of a call one looks."""
    return max(1, num_tokens // 4)


def repeats(ids: Sequence[int], num_tokens: int) -> bool:
    """Whether the last so many ids are one stretch, written `TIMES` times or more; the last time may be unfinished."""
    if len(ids) < num_tokens:
        return False
    last = ids[-num_tokens:]
    return _period(last) * TIMES <= num_tokens


def _period(ids: Sequence[int]) -> int:
    """The length of the shortest stretch that these ids repeat (by the failure function of Knuth, Morris and Pratt)."""
    borders = [0] * len(ids)
    for n in range(1, len(ids)):
        size = borders[n - 1]
        while size and ids[size] != ids[n]:
            size = borders[size - 1]
        borders[n] = size + (ids[size] == ids[n])
    return len(ids) - borders[-1]
