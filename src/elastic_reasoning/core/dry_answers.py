"""What the worst model could say to a call, and how delimiters are written where there is no model.

    for answer in ANSWERS:
        said = answer(call)      # ids and why they end, or None where the call does not allow it

`elastic_reasoning.core.needs` walks with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from elastic_reasoning.core.call import Call, OnEos
from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter, TokenDelimiter
from elastic_reasoning.core.segment import Finish

WORD, BEGUN, END, OPENING, CLOSING = range(-5, 0)
"""Ids that no model has: a word, the beginning of a delimiter, an end of sequence, and the two delimiters."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A delimiter as a dry walk writes it: as often the same id as it may have tokens."""

    real: Delimiter
    mark: int

    @property
    def text(self) -> str:
        return self.real.text

    @property
    def ids(self) -> tuple[int, ...]:
        return self.real.ids

    @property
    def forced(self) -> tuple[int, ...]:
        return self.real.forced

    @property
    def watch(self) -> frozenset[int]:
        return self.real.watch

    @property
    def most_forced(self) -> int:
        return self.real.most_forced

    @property
    def longest(self) -> int:
        return self.real.longest

    def alone(self) -> "Mark":
        return replace(self, real=self.real.alone())

    def ends(self, ids: Sequence[int]) -> int:
        return next((n for n, token in enumerate(reversed(ids)) if token != self.mark), len(ids))

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        return (1, (self.mark,) * self.most_forced) if ids and ids[-1] == BEGUN else (0, self.forced)

    def pending(self, ids: Sequence[int]) -> int:
        return self.begun(ids)[0]


Said = tuple[tuple[int, ...], Finish]
"""What a model says to a call, and how that ends."""
Answer = Callable[[Call], Said | None]
"""A kind of answer; `None` where the call does not allow it."""


def _most(call: Call) -> int:
    assert call.max_tokens is not None
    return call.max_tokens


def _delimiter(call: Call, longest: bool) -> tuple[int, ...]:
    """What ends the call, in as many or as few tokens as may be; nothing where it does not fit."""
    stop = call.stop.parts[0] if isinstance(call.stop, AnyDelimiter) else call.stop
    if stop is None:
        return ()
    fewest = 1 if isinstance(stop, Mark) and not isinstance(stop.real, TokenDelimiter) else len(stop.ids)
    if fewest > _most(call):
        return ()
    if not isinstance(stop, Mark):
        return stop.ids
    return (stop.mark,) * (min(stop.longest, _most(call)) if longest else fewest)


def nothing_else(call: Call) -> Said:
    """All that it may sample, without a delimiter or an end."""
    return (WORD,) * _most(call), Finish.LENGTH


def _half_a_delimiter(call: Call) -> Said | None:
    return ((WORD,) * (_most(call) - 1) + (BEGUN,), Finish.LENGTH) if call.stop else None


def _delimiter_at_once(call: Call) -> Said | None:
    ids = _delimiter(call, longest=True)
    return (ids, Finish.DELIMITER) if ids else None


def _delimiter_at_the_end(call: Call) -> Said | None:
    ids = _delimiter(call, longest=True)
    return ((WORD,) * (_most(call) - len(ids)) + ids, Finish.DELIMITER) if ids else None


def _end_at_once(call: Call) -> Said:
    return _ended(call, 0)


def _end_at_the_end(call: Call) -> Said:
    return _ended(call, _most(call) - 1)


def _ended(call: Call, num_words: int) -> Said:
    """An end of sequence behind some words, which is taken back where the call discards it."""
    return (WORD,) * num_words + ((END,) if call.on_eos is OnEos.END else ()), Finish.EOS


def _short_at_once(call: Call) -> Said | None:
    ids = _delimiter(call, longest=False)
    return (ids, Finish.DELIMITER) if ids else None


def _short_after_a_word(call: Call) -> Said | None:
    ids = _delimiter(call, longest=False)
    return ((WORD, *ids), Finish.DELIMITER) if ids and len(ids) < _most(call) else None


def paused(call: Call) -> Said | None:
    """As soon as the strategy may look at what there is."""
    if not call.pause or _most(call) < 2:
        return None
    return (WORD,) * min(max(call.pause.every, call.pause.start), _most(call) - 1), Finish.PAUSE


ANSWERS: tuple[Answer, ...] = (
    *(nothing_else, _half_a_delimiter, _delimiter_at_once, _delimiter_at_the_end, _end_at_once, _end_at_the_end),
    paused,
)
REPLACED: tuple[Answer, ...] = (_short_at_once, _short_after_a_word)
"""Delimiters that a strategy may replace: the less was thought, the more often."""
WITHOUT_END: tuple[Answer, ...] = (*REPLACED, paused)
"""What may be said to a call that has no limit, and lead on."""
