"""How a tool call is recognised in sampled tokens: what opens one, and what closes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from elastic_reasoning.core.delimiter import Delimiter, written


def _never(ids: Sequence[int]) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Tools:
    """How a model family marks a tool call.

    Attributes:
        pairs: what opens a call, and what closes a call that is opened so; `None` is only the end of the sequence.
        always: whether every prompt is taken to offer tools.
        resumes: whether thinking goes on behind a call that was opened in it; otherwise the solution follows.
        in_progress: how many of the last ids are an unfinished opening that can be nothing else.
    """

    pairs: tuple[tuple[Delimiter, Delimiter | None], ...]
    always: bool = False
    resumes: bool = False
    in_progress: Callable[[Sequence[int]], int] = _never

    @property
    def opening(self) -> Delimiter:
        """What opens a call where the model follows its chat template."""
        return self.pairs[0][0]

    @property
    def closing(self) -> Delimiter | None:
        """What closes a call where the model follows its chat template."""
        return self.pairs[0][1]

    @property
    def openings(self) -> tuple[Delimiter, ...]:
        """Whatever opens a call."""
        return tuple(opening for opening, _ in self.pairs)

    def offered(self, prompt: Sequence[int]) -> bool:
        """Whether these ids of a prompt offer tools by themselves: what opens a call stands in them."""
        return self.always or any(written(opening, prompt) for opening in self.openings)

    def opened(self, ids: Sequence[int]) -> int:
        """How many of the last ids open a call: 0 if none is open."""
        return next((size for opening in self.openings if (size := opening.ends(ids))), 0) or self.in_progress(ids)

    def left_open(self, ids: Sequence[int]) -> bool:
        """Whether a call is opened in these ids and not closed."""
        return any(
            opens and (closing is None or opens[-1] > max(written(closing, ids), default=0))
            for opens, closing in ((written(opening, ids), closing) for opening, closing in self.pairs)
        )

    def closing_of(self, ids: Sequence[int]) -> Delimiter | None:
        """What closes the call that the last of these ids open."""
        return next((closing for opening, closing in self.pairs if opening.ends(ids)), self.closing)
