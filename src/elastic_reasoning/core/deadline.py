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

from elastic_reasoning.core.delimiter import Delimiter
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Finish, Phase
from elastic_reasoning.core.walk import Completion, Walk


@dataclass(frozen=True, slots=True)
class AfterClosing:
    """What follows where time closes thinking.

    Attributes:
        delimiter: what closes thinking.
        wrap_up: ids that are forced before it.
        num_forced: all ids that are forced, words that an answer begins with among them; 0 where the request ends.
        num_solution: tokens that may be sampled then; `None` for no limit.
    """

    delimiter: Delimiter
    wrap_up: tuple[int, ...]
    num_forced: int
    num_solution: int | None

    @property
    def text(self) -> tuple[int, ...]:
        """All ids that close thinking."""
        return (*self.wrap_up, *self.delimiter.forced)

    @property
    def frames(self) -> bool:
        """Whether anything is forced behind the delimiter, before the solution."""
        return len(self.delimiter.forced) > len(self.delimiter.ids)

    def found(self, walk: Walk, ids: Sequence[int], start: int, num_banned: int) -> int | None:
        """How many ids stand before a close that time has forced; `None` where there is none.

        Args:
            walk: where the ids before `start` have led.
            ids: of the completion.
            start: how many of them are read.
            num_banned: among so many of those that follow, the model could not have written the delimiter.
        """
        if walk.call is None or walk.call.phase is not Phase.THINKING or not self.num_forced:
            return None
        end = len(ids) if self.wrap_up or self.frames else min(len(ids), start + num_banned)
        text, begin = self.text, len(walk.ids)
        for place in range(start, end):
            is_text = ids[place] == text[0] and tuple(ids[place : place + len(text)]) == text
            if is_text and not self.delimiter.begun(ids[begin:place])[0]:
                return place
        return None

    def begun(self, ids: Sequence[int]) -> int:
        """How many of the last of these ids, all sampled in thinking, begin the text that is forced there."""
        is_told_apart = self.num_forced and (self.wrap_up or self.frames)
        text, most = self.text, min(len(ids), len(self.text) - 1) if is_told_apart else 0
        num = next((n for n in range(most, 0, -1) if tuple(ids[-n:]) == text[:n]), 0)
        return 0 if num and self.delimiter.begun(ids[:-num])[0] else num


def after_closing(request: Request, template: Template) -> AfterClosing:
    """What would follow if time closed thinking, whatever the context leaves."""
    walk = Walk(request, template)
    start = len(walk.segments)
    while walk.call is not None and walk.call.phase is Phase.THINKING:
        walk.finish(Completion((), None, Finish.DEADLINE))
    forced = [segment for segment in walk.segments[start:] if not segment.sampled]
    return AfterClosing(
        template.closing_of(request.prompt),
        tuple(token for segment in forced if segment.phase is Phase.WRAP_UP for token in segment.ids),
        sum(len(segment.ids) for segment in forced),
        0 if walk.call is None else walk.call.max_tokens,
    )
