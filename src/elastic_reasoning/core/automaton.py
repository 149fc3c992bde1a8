"""A request as a finite automaton: all that its strategy may do, as tables for a device that knows no strategy.

automaton = automaton_of(Walk(request, template, context), end)   # `core.explorer`; None where it has none
automaton.states[automaton.start].forced                          # the id that comes first, or None
place = automaton.read(automaton.begin(), ids)                    # where a sequence stands behind these ids
"""

from collections.abc import Sequence
from dataclasses import dataclass

from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.template import Template

NO_END = 2**31 - 1
"""Stands for no limit."""
OTHER, EOS = 0, 1
"""Classes of ids: those that mean nothing, and those that end a sequence. Each id of a delimiter has its own."""


@dataclass(frozen=True, slots=True)
class State:
    """What may come next.

    Attributes:
        after: the state behind an id, by its class.
        at_bound: the state that takes the place of this one where the bound is reached.
        forced: the only id that may come, or `None`.
        moves_to: the id that gets the probability of every end of sequence, or `None`.
        banned: ids that may not come.
        landing: (id, num_tokens, peak): the id whose logit is raised at the last so many tokens before the bound, at
            the n-th by so large a share of the peak, in nats; or `None`.
        is_entry: whether the bound is set here: `num_tokens` further ids, but at the most `last` ids in all.
    """

    after: tuple[int, ...]
    at_bound: int
    forced: int | None = None
    moves_to: int | None = None
    banned: frozenset[int] = frozenset()
    landing: tuple[int, int, float] | None = None
    is_entry: bool = False
    num_tokens: int = NO_END
    last: int = NO_END


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sequence stands: after so many ids, in a state, with a bound in ids of the completion."""

    position: int
    state: int
    bound: int


@dataclass(frozen=True, slots=True)
class Automaton:
    """What a request may do.

    Attributes:
        states: all of them.
        start: the one before the first id.
        classes: the class of each id that has one of its own.
        depth: how many bounds may be reached at one place, one behind the other.
    """

    states: tuple[State, ...]
    start: int
    classes: dict[int, int]
    depth: int

    def begin(self) -> Place:
        """Where nothing has been emitted."""
        return self._settle(0, self.start, NO_END)

    def read(self, place: Place, ids: Sequence[int]) -> Place:
        """Where a sequence stands behind these further ids."""
        for token in ids:
            state = self.states[place.state].after[self.classes.get(token, OTHER)]
            place = self._settle(place.position + 1, state, place.bound)
        return place

    def _settle(self, position: int, state: int, bound: int) -> Place:
        bound = self._bound(position, state, bound)
        for _ in range(self.depth):
            if position >= bound:
                state = self.states[state].at_bound
                bound = self._bound(position, state, bound)
        return Place(position, state, bound)

    def _bound(self, position: int, state: int, bound: int) -> int:
        one = self.states[state]
        return min(position + one.num_tokens, one.last) if one.is_entry else bound


def classes_of(template: Template) -> dict[int, int]:
    """The classes of ids that the automata of a model tell apart: of its ends, and of each id of its delimiters."""
    parts = [one.ids for one in (template.opening, template.closing) if isinstance(one, TokenDelimiter)]
    marks = sorted({token for ids in parts for token in ids} - template.eos)
    return {**dict.fromkeys(template.eos, EOS), **{token: EOS + 1 + n for n, token in enumerate(marks)}}
