"""The interpreter by token: where one sequence stands, for an engine that samples one token at a time.

An engine keeps, for each row, the number of tokens that may still be sampled (`left`) and the ids after which it
must ask (`watch`). Between such events no Python runs for the row; at one it calls `wake` with the ids sampled
since the last, and is told what to take back and what to force:

    cursor = Cursor(Walk(request, template, context))
    feed(prompt ids + cursor.walk.ids)
    while not cursor.done:
        ids, logprobs = sample(at most cursor.left, until an id in cursor.watch, never one in cursor.banned)
        turn = cursor.wake(ids, logprobs)
        take_back(turn.take_back); feed(turn.forced)

Forced ids never trigger a watch. An engine may wake a cursor before there is an event: for a listener, who is told of
every token as it comes, or because the walk was interrupted. A logits processor and a streaming server use the same
object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from elastic_reasoning.core import loops
from elastic_reasoning.core.call import Call, Completion, OnEos, Pause, Ramp
from elastic_reasoning.core.delta import Delta, Listen
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.walk import Walk


@dataclass(frozen=True, slots=True)
class Turn:
    """What an engine does after an event: remove so many of the last ids, then append the forced ones."""

    take_back: int
    forced: tuple[int, ...]


GO_ON = Turn(0, ())
NOTHING = frozenset[int]()


class Cursor:
    """Where one sequence stands in its walk.

    Attributes:
        walk: what is done.
        left: tokens that may be sampled before the next event; `None` for no limit.
        watch: ids after which `wake` must be called.
        banned: ids that cannot be sampled before the next event.
        raised: an id whose logit is raised for the next token alone, and by how much in nats; `None` for none.

    Args:
        walk: a walk, fresh or part of its way. One that has been interrupted is so at once.
        listen: told what is new at every `wake`, beginning with what it has not been told of the walk so far.
        until: the phase before which to stop: the walk is handed back where its next call samples it.
    """

    def __init__(self, walk: Walk, listen: Listen | None = None, until: Phase | None = None) -> None:
        if walk.branches and walk.call is not None:
            walk.fail(
                f"strategy {walk.request.strategy!r} thinks several times, and this is one completion: have it "
                "answered by an engine of this package or by its gateway, or use another strategy"
            )
        self.walk = walk
        self._listen = listen
        self._until = until
        self._num_told = 0  # of the ids of the unfinished call
        self.left: int | None = None
        self.watch: frozenset[int] = frozenset()
        self.banned: frozenset[int] = frozenset()
        self.raised: tuple[int, float] | None = None
        self._begin()
        self.wake((), ())

    @property
    def done(self) -> bool:
        call = self.walk.call
        return call is None or call.phase is self._until

    @property
    def listens(self) -> bool:
        """Whether somebody wants to be told of every token as it comes."""
        return self._listen is not None

    @property
    def ids(self) -> list[int]:
        """Ids of the completion so far, those of the unfinished call among them `[n]`."""
        return self.walk.ids + self._ids

    @property
    def num_banned(self) -> int:
        """How many tokens are still sampled that cannot complete the delimiter, so far as it is forbidden."""
        call = self.walk.call
        is_banned = call is not None and call.stop is not None and call.stop.watch <= self.banned
        return (self.left or 0) if is_banned else 0

    def _begin(self) -> None:
        """Begin with the walk's next call."""
        self._ids: list[int] = []
        self._logprobs: list[float] | None = []
        call, eos = self.walk.call, self.walk.template.eos
        self._watch = NOTHING if call is None or self.done else _either(eos, call.stop.watch) if call.stop else eos
        self._grace_start = None if call is None else _grace_start(call)
        self.watch, self.banned, self.raised = self._watch, NOTHING, None
        self._is_plain = call is not None and not (self.done or self._grace_start or _is_special(call))

    def _aim(self) -> None:
        """Set what is waited for next."""
        call = self.walk.call
        if self._is_plain and call is not None:  # most often, and for a listener at every token
            self.left = None if call.max_tokens is None else call.max_tokens - len(self._ids)
            return
        self.watch, self.banned, self.raised = self._watch, NOTHING, None
        if call is None or self.done:
            self.left = 0
            return
        num_sampled = len(self._ids)
        bounds = [] if call.max_tokens is None else [call.max_tokens]
        if num_sampled < call.min_tokens:
            self.banned = call.banned
            bounds.append(call.min_tokens)
        if call.forbidden:
            self.banned |= call.forbidden
        self.watch -= self.banned
        if self._grace_start is not None:
            self._look_for_boundaries(self._grace_start, num_sampled, bounds)
        if call.pause is not None:
            self._look_for_pause(call.pause, num_sampled, bounds)
        if call.loop:
            step = loops.step(call.loop)
            bounds.append((num_sampled // step + 1) * step)
        if call.ramp is not None and call.max_tokens is not None:
            self._raise(call.ramp, call.max_tokens, bounds)
        self.left = min(bounds) - num_sampled if bounds else None

    def _look_for_boundaries(self, start: int, num_sampled: int, bounds: list[int]) -> None:
        """Watch for line and sentence ends from the token `start` on."""
        if num_sampled + 1 >= start:
            self.watch |= self.walk.template.boundaries - self.banned
        else:
            bounds.append(start - 1)

    def _look_for_pause(self, pause: Pause, num_sampled: int, bounds: list[int]) -> None:
        if pause.every:
            bounds.append(max(pause.every, num_sampled + 1))  # later than wanted where a delimiter has begun there
        if pause.boundaries:
            self._look_for_boundaries(pause.start, num_sampled, bounds)
        if pause.words is not None:
            self.watch |= pause.words.watch - self.banned

    def _raise(self, ramp: Ramp, max_tokens: int, bounds: list[int]) -> None:
        """Raise what the delimiter goes on with, one token at a time."""
        nth = len(self._ids) + 1 - (max_tokens - ramp.num_tokens)
        if nth < 1:
            bounds.append(max_tokens - ramp.num_tokens)
            return
        bounds.append(len(self._ids) + 1)
        self.raised = ramp.delimiter.begun(self._ids)[1][0], ramp.peak * nth / ramp.num_tokens

    def until_event(self, ids: Sequence[int]) -> int:
        """How many of these sampled ids there are up to the next event; 0 if it is not among them."""
        limit = len(ids) if self.left is None else min(self.left, len(ids))
        if self.watch.isdisjoint(ids[:limit]):  # most often, and much faster than to look at each
            return limit if limit == self.left else 0
        return next(n + 1 for n in range(limit) if ids[n] in self.watch)

    def wake(self, ids: Sequence[int], logprobs: Sequence[float] | None) -> Turn:
        """Take the ids sampled since the last time; only the last of them may be a watched one."""
        self._ids.extend(ids)
        if logprobs is None:
            self._logprobs = None
        elif self._logprobs is not None:
            self._logprobs.extend(logprobs)
        before = kept = len(self.walk.ids) + len(self._ids)
        goes_on = True
        while finish := self._judge():  # an interrupt may end the next call too
            kept, goes_on = min(kept, self._finish(finish)), False
        self._aim()
        if self._listen is not None:
            self._tell(self._listen)
        return GO_ON if goes_on else Turn(before - kept, tuple(self.walk.ids[kept:]))

    def forget(self, num: int) -> None:
        """Take it that the last so many ids of the unfinished call have not been shown yet."""
        del self._ids[len(self._ids) - num :]
        if self._logprobs is not None:
            del self._logprobs[len(self._ids) :]
        self._aim()

    def ends_within(self, ids: Sequence[int]) -> bool:
        """Whether the unfinished call would end with one of these ids, if they were sampled next."""
        num = len(self._ids)
        try:
            for token in ids:
                self._ids.append(token)
                if self._judge():
                    return True
            return False
        finally:
            del self._ids[num:]

    def _judge(self) -> Finish | None:
        """Whether the ids so far end the call, or somebody else does."""
        call, ids = self.walk.call, self._ids
        if call is None or call.phase is self._until:
            return None
        if not ids:
            return self._interrupted()
        if ids[-1] in self._watch:
            if ids[-1] in self.walk.template.eos:
                return Finish.EOS
            if call.stop and call.stop.ends(ids):
                return Finish.DELIMITER
        if call.max_tokens is not None and len(ids) >= call.max_tokens:
            return Finish.LENGTH
        start = self._grace_start
        if start is not None and len(ids) >= start and ids[-1] in self.walk.template.boundaries:
            return Finish.BOUNDARY
        if call.loop and len(ids) % loops.step(call.loop) == 0 and loops.repeats(ids, call.loop):
            return Finish.LOOP
        if call.pause is not None and self._pauses(call, call.pause):
            return Finish.PAUSE
        return self._interrupted()

    def _pauses(self, call: Call, pause: Pause) -> bool:
        """Whether the strategy wants to look at the ids so far; never within what may become a delimiter."""
        ids = self._ids
        if len(ids) < pause.start or (call.stop is not None and call.stop.pending(ids)):
            return False
        return (
            (0 < pause.every <= len(ids))
            or (pause.boundaries and ids[-1] in self.walk.template.boundaries)
            or (pause.words is not None and ids[-1] in pause.words.watch and pause.words.ends(ids) > 0)
        )

    def _interrupted(self) -> Finish | None:
        return self.walk.interrupted

    def _finish(self, finish: Finish) -> int:
        assert self.walk.call is not None
        ids, logprobs = tuple(self._ids), self._logprobs
        if finish is Finish.EOS and self.walk.call.on_eos is OnEos.DISCARD:
            ids = ids[:-1]
        return self._hand_over(Completion(ids, None if logprobs is None else tuple(logprobs[: len(ids)]), finish))

    def _hand_over(self, completion: Completion) -> int:
        kept = self.walk.finish(completion)
        self._begin()
        return kept

    def _tell(self, listen: Listen) -> None:
        """Tell what is new: the rest of finished segments, then of the unfinished call what is sure to be its own."""
        walk = self.walk
        if walk.num_told < len(walk.segments):
            for segment in walk.segments[walk.num_told :]:
                start, self._num_told = self._num_told, 0
                logprobs = segment.logprobs and segment.logprobs[start:]
                listen(Delta(segment.phase, segment.ids[start:], segment.sampled, logprobs, segment.finish, last=True))
            walk.num_told = len(walk.segments)
        call, start, end = walk.call, self._num_told, len(self._ids)
        if call is None or call.probe or start == end:
            return
        if call.stop is not None:
            end -= call.stop.pending(self._ids)
        if end > start:
            self._num_told = end
            logprobs = None if self._logprobs is None else tuple(self._logprobs[start:end])
            listen(Delta(call.phase, tuple(self._ids[start:end]), True, logprobs, None, False))


@lru_cache(64)
def _either(ids: frozenset[int], others: frozenset[int]) -> frozenset[int]:
    """The same set for all rows, which an engine may look at after every token of each."""
    return ids | others


def _is_special(call: Call) -> bool:
    """Whether a call has events or logits of its own, beside its tokens and its delimiter."""
    return bool(call.min_tokens or call.forbidden or call.pause or call.loop or call.ramp)


def _grace_start(call: Call) -> int | None:
    """The first token of a call (counted from 1) after which a boundary ends it."""
    if not call.grace or call.max_tokens is None:
        return None
    return max(1, call.max_tokens - call.grace, call.min_tokens)
