"""A request with a deadline: what follows where time closes its thinking, and where it has done so.

    after = after_closing(request, template)
    after.num_forced, after.num_solution          # 1, 256: how many tokens are still to come
    after.found(walk, ids, start, num_banned)     # how many of these ids stand before what was forced

Whoever reads a completion that somebody else has closed by the clock has its ids alone. A delimiter that stands alone
reads as the model's own: what follows is the same. With text that is forced before or behind it, it reads as forced,
and so does one that the model could not have written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from elastic_reasoning.core.call import Call, Completion
from elastic_reasoning.core.delimiter import Delimiter
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.walk import Walk

MOST_LOOKED_AT = 256
"""Ids among which the beginning of a delimiter is looked for."""


@dataclass(frozen=True, slots=True)
class AfterClosing:
    """What follows where time closes thinking.

    Attributes:
        delimiter: what closes thinking.
        num_wrap_up: the most ids that are forced before it.
        num_forced: the most ids that are forced in all, words that an answer begins with among them; 0 where the
            request ends.
        num_solution: tokens that may be sampled then; `None` for no limit.
    """

    delimiter: Delimiter
    num_wrap_up: int
    num_forced: int
    num_solution: int | None

    def text(self, call: Call, num_sampled: int) -> tuple[int, ...]:
        """All ids that close thinking once a call has sampled so many tokens."""
        return (*(call.wrap_up.ids(num_sampled) if call.wrap_up else ()), *self.delimiter.forced)

    def _may_begin(self, call: Call, token: int) -> bool:
        """Whether an id may be the first of those."""
        may_wrap_up = call.wrap_up is not None and call.wrap_up.may_begin_with(token)
        return may_wrap_up or (not self.num_wrap_up and token == self.delimiter.forced[0])

    @property
    def frames(self) -> bool:
        """Whether anything is forced behind the delimiter, before the solution."""
        return len(self.delimiter.forced) > len(self.delimiter.ids)

    @property
    def _is_told_apart(self) -> bool:
        """Whether a forced delimiter is known by what is forced beside it."""
        return bool(self.num_wrap_up) or self.frames

    def found(self, walk: Walk, ids: Sequence[int], start: int, num_banned: int) -> int | None:
        """How many ids stand before a close that time has forced; `None` where there is none.

        Args:
            walk: where the ids before `start` have led.
            ids: of the completion.
            start: how many of them are read.
            num_banned: among so many of those that follow, the model could not have written the delimiter.
        """
        call, begin = walk.call, len(walk.ids)
        if call is None or call.phase is not Phase.THINKING or not self.num_forced:
            return None
        end = len(ids) if self._is_told_apart else min(len(ids), start + num_banned)
        for place in range(start, end):
            if not self._may_begin(call, ids[place]):
                continue
            text = self.text(call, place - begin)
            if tuple(ids[place : place + len(text)]) == text and not self._has_begun(ids, begin, place):
                return place
        return None

    def begun(self, walk: Walk, ids: Sequence[int]) -> int:
        """How many of the last ids of a completion, sampled in thinking, begin the text that would be forced there."""
        begin = len(walk.ids)
        if walk.call is None or not self.num_forced or not self._is_told_apart:
            return 0
        most = min(len(ids) - begin, self.num_wrap_up + len(self.delimiter.forced) - 1)
        for place in range(len(ids) - most, len(ids)):
            text = self.text(walk.call, place - begin) if self._may_begin(walk.call, ids[place]) else ()
            if tuple(ids[place:]) == text[: len(ids) - place] != text:
                return 0 if self._has_begun(ids, begin, place) else len(ids) - place
        return 0

    def _has_begun(self, ids: Sequence[int], begin: int, place: int) -> bool:
        """Whether the ids before a place, sampled from `begin` on, begin the delimiter, which then is completed."""
        return self.delimiter.begun(ids[max(begin, place - MOST_LOOKED_AT) : place])[0] > 0


def after_closing(request: Request, template: Template) -> AfterClosing:
    """What would follow if time closed thinking, whatever the context leaves."""
    walk = Walk(request, template)
    walk = walk.branches[0] if walk.branches else walk  # the same follows in all of them
    start, num_wrap_up = len(walk.segments), 0
    while walk.call is not None and walk.call.phase is Phase.THINKING:
        num_wrap_up = walk.call.wrap_up.most if walk.call.wrap_up else 0
        walk.finish(Completion((), None, Finish.DEADLINE))
    forced = [segment for segment in walk.segments[start:] if not segment.sampled]
    num_others = sum(len(segment.ids) for segment in forced if segment.phase is not Phase.WRAP_UP)
    return AfterClosing(
        template.closing_of(request.prompt),
        num_wrap_up,
        num_others and num_wrap_up + num_others,
        0 if walk.call is None else walk.call.max_tokens,
    )
