"""Where one budgeted sequence stands, for an engine that shows its logits and says afterwards what it emitted."""

from collections.abc import Sequence

from elastic_reasoning.core.call import Call, OnEos
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.deadline import AfterClosing, after_closing
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.walk import Walk

MOST_LOOKED_AT = 128
"""Ids in which the beginning of a delimiter is looked for."""


class Row:
    """A cursor that can neither append nor take back, only say what the next token may be.

    What is forced is emitted token by token. An end of sequence cannot be discarded once it is sampled: where the
    strategy would discard it, its probability has to go to the next token of the closing delimiter instead
    (`moves_to`). When the strategy is over, an end of sequence is forced until the engine stops.

    Where the request has a deadline, whoever has the clock closes phases (`close`). What was forced then is found in
    the ids, see `elastic_reasoning.core.deadline`.

    Attributes:
        output: ids of the completion; whoever makes the row sees to it that they are all there when it is looked at.
        forced: the only id that may come next, or `None`.
        banned: ids that may not come next.
        raised: an id and what is added to its logit, or `None`.
        moves_to: the id that gets the probability of every end of sequence, or `None`.
        wakes_at, watch: there is nothing to `advance` while `output` has fewer ids and its last one is not watched.

    Args:
        walk: a walk that has not begun.
        output: see above; ids that are already there are read, as those of a sequence that was preempted.
        end: the id that makes the engine stop.
    """

    def __init__(self, walk: Walk, output: list[int], end: int) -> None:
        self.output = output
        self.forced: int | None = None
        self.banned = frozenset[int]()
        self.raised: tuple[int, float] | None = None
        self.moves_to: int | None = None
        self.wakes_at: float = 0
        self.watch = frozenset[int]()
        self._cursor = Cursor(walk)
        self._end = end
        self._forced = tuple(walk.ids)
        self._num_read = 0
        self._closing = walk.template.closing_of(walk.request.prompt)
        self._solution_start: int | None = None
        self._after = None
        if walk.request.deadline_seconds is not None:
            self._after = after_closing(walk.request, walk.template)
        self._aim()
        self._read()

    def advance(self) -> bool:
        """Read what was emitted since the last event.

        Returns:
            Whether `forced`, `banned`, `raised` or `moves_to` has changed.
        """
        num = len(self.output)
        if num <= self._num_read:
            return False
        before = self._asked
        if num >= self._next or self.output[-1] in self.watch:
            self._read()
        elif self._follows_closing:
            self.moves_to = self._next_of_closing()
        return self._asked != before

    @property
    def _asked(self) -> tuple[int | None, frozenset[int], tuple[int, float] | None, int | None]:
        return self.forced, self.banned, self.raised, self.moves_to

    @property
    def _follows_closing(self) -> bool:
        """Whether what gets the probability of an end may be another id behind each token."""
        return self.moves_to is not None and len(self._closing.forced) > 1

    def _read(self) -> None:
        """Read all that was emitted, which for a sequence that was preempted may be many events."""
        ids = self.output[self._num_read :]
        num_taken = self._take(ids)
        while num_taken:
            self._num_read += num_taken
            ids = ids[num_taken:]
            num_taken = self._take(ids)
        self._aim()

    def _take(self, ids: Sequence[int]) -> int:
        """Read up to the next event and return how many ids that were; 0 if there is none."""
        call = self._cursor.walk.call
        if self._solution_start is None and not self._forced and call and call.phase is Phase.SOLUTION:
            self._solution_start = self._num_read
        if not ids:
            return 0
        if self._forced:
            num = min(len(ids), len(self._forced))
            self._forced = self._forced[num:]
            return num
        if self._cursor.done:
            return len(ids)
        num = self._cursor.until_event(ids)
        closed = self._found_close() if self._after is not None else None
        if closed is not None and (num == 0 or closed < num):
            return self._close_behind(ids, closed)
        if num:
            self._forced = self._cursor.wake(ids[:num], None).forced
        return num

    def close(self) -> bool:
        """Close the current phase as if its tokens were spent: thinking, or what ends the request with it.

        What has begun of the text that is forced before the delimiter is completed, so that a sequence that was
        preempted while it was written goes on with it.

        Returns:
            Whether it is closed. It is not where the request is over; where something else, as the end of its tokens,
            would close it within that text, and will; nor where a delimiter has begun behind which something is to be
            forced.
        """
        self._read()
        walk, after = self._cursor.walk, self._after
        if walk.call is None or after is None:
            return False
        num_begun = 0
        if walk.call.phase is Phase.THINKING:
            thought = self.output[len(walk.ids) :]
            num_begun = after.begun(walk, self.output)
            num_shown = max(0, num_begun - len(self.output) + self._num_read)
            self._cursor.forget(num_shown)  # it has looked for a delimiter there
            self._num_read -= num_shown
            if self._must_wait(after, walk.call, thought, num_begun):
                return False
        unread = self.output[self._num_read :]
        self._num_read += self._close_behind(unread, len(unread) - num_begun)
        self._aim()
        return True

    def _must_wait(self, after: AfterClosing, call: Call, thought: Sequence[int], num_begun: int) -> bool:
        """Whether what was thought cannot be closed yet, so that it will be read of the ids where it was closed."""
        if num_begun == 0 and self._closing.begun(thought)[0]:
            return after.frames
        unread = self.output[self._num_read : len(self.output) - num_begun]
        words = call.wrap_up.ids(len(thought) - num_begun) if call.wrap_up else ()
        return self._cursor.ends_within((*unread, *words))

    def _found_close(self) -> int | None:
        """How many of the unread ids stand before a close that time has forced."""
        assert self._after is not None
        cursor = self._cursor
        place = self._after.found(cursor.walk, self.output, self._num_read, cursor.num_banned)
        return None if place is None else place - self._num_read

    def _close_behind(self, ids: Sequence[int], num: int) -> int:
        """Close the phase behind so many of these ids; how many are read, as those that follow were forced."""
        self._cursor.walk.interrupt(Finish.DEADLINE)
        forced = (*self._forced, *self._cursor.wake(ids[:num], None).forced)
        num_forced = min(len(ids) - num, len(forced))
        self._forced = forced[num_forced:]
        return num + num_forced

    def _aim(self) -> None:
        cursor, call = self._cursor, self._cursor.walk.call
        self.forced = self._forced[0] if self._forced else self._end if call is None else None
        sampling = call is not None and self.forced is None
        self.banned = cursor.banned if sampling else frozenset[int]()
        self.raised = cursor.raised if sampling else None
        closes = call is not None and sampling and call.on_eos is OnEos.DISCARD
        self.moves_to = self._next_of_closing() if closes and not self.banned & cursor.walk.template.eos else None
        left = 1 if self.forced is not None else cursor.left
        self._next = float("inf") if left is None else self._num_read + left
        self.watch = cursor.watch
        self.wakes_at = 0 if self._follows_closing else self._next

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be sampled; what is forced may still be to come."""
        return self._cursor.walk.call is None

    @property
    def num_pending(self) -> int:
        """How many forced ids are still to come, the end of sequence not among them."""
        return len(self._forced)

    @property
    def num_after(self) -> tuple[int, int | None]:
        """What follows where time closes the current phase: how many ids are forced, and how many may be sampled.

        `None` for no limit. Where text is forced before the delimiter, closing may have to wait for as many tokens.
        """
        call, after = self._cursor.walk.call, self._after
        if after is None or call is None or call.phase is not Phase.THINKING:
            return 0, 0
        return after.num_forced + after.num_wrap_up, after.num_solution

    @property
    def num_solved(self) -> int | None:
        """Tokens since the solution began; `None` where it is not what is sampled next.

        Also where thinking was the model's to close, in which all of the time may have been spent.
        """
        walk, after = self._cursor.walk, self._after
        if after is None or walk.call is None or walk.call.phase is not Phase.SOLUTION:
            return None
        if not after.num_forced and any(segment.phase is Phase.THINKING for segment in walk.segments):
            return None
        return 0 if self._solution_start is None else len(self.output) - self._solution_start

    @property
    def solution(self) -> tuple[int, Finish | None]:
        """How many tokens were sampled for the solution, as far as they are read, and why that ended."""
        solution = [s for s in self._cursor.walk.segments if s.phase is Phase.SOLUTION and s.sampled]
        return sum(len(s.ids) for s in solution), solution[-1].finish if solution else None

    @property
    def in_solution(self) -> bool:
        """Whether what was emitted last, as far as it was read, is a token that was sampled for the solution."""
        return self._solution_start is not None and len(self.output) > self._solution_start

    def _next_of_closing(self) -> int:
        """The token that writes the closing delimiter, or goes on with it where it has begun."""
        walk = self._cursor.walk
        start = max(len(walk.ids), len(self.output) - MOST_LOOKED_AT)
        return (
            self._closing.begun(self.output[start:])[1][0] if len(self._closing.forced) > 1 else self._closing.forced[0]
        )
