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

Forced ids never trigger a watch. A logits processor and a streaming server use the same object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from elastic_reasoning.core.call import Call, OnEos
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Finish, Segment, Trace
from elastic_reasoning.core.walk import Completion, Walk


@dataclass(frozen=True, slots=True)
class Turn:
    """What an engine does after an event: remove so many of the last ids, then append the forced ones."""

    take_back: int
    forced: tuple[int, ...]


class Cursor:
    """Where one sequence stands in its walk.

    Attributes:
        walk: what is done.
        left: tokens that may be sampled before the next event; `None` for no limit.
        watch: ids after which `wake` must be called.
        banned: ids that cannot be sampled before the next event.

    Args:
        walk: a walk, fresh or part of its way.
        every_token: make every sampled token an event, for a caller that shows them as they come.
    """

    def __init__(self, walk: Walk, every_token: bool = False) -> None:
        self.walk = walk
        self._every_token = every_token
        self._ids: list[int] = []
        self._logprobs: list[float] | None = []
        self.left: int | None = None
        self.watch: frozenset[int] = frozenset()
        self.banned: frozenset[int] = frozenset()
        self._aim()

    @property
    def done(self) -> bool:
        return self.walk.call is None

    @property
    def ids(self) -> list[int]:
        """Ids of the completion so far, those of the unfinished call among them `[n]`."""
        return self.walk.ids + self._ids

    def segments(self) -> list[Segment]:
        """Segments so far, without what may still turn out to be the beginning of a delimiter."""
        call = self.walk.call
        if call is None or not self._ids:
            return list(self.walk.segments)
        held = call.stop.begun(self._ids)[0] if call.stop else 0
        shown = tuple(self._ids[: len(self._ids) - held])
        return [*self.walk.segments, Segment(call.phase, shown, sampled=True)]

    def _aim(self) -> None:
        """Set what is waited for next."""
        call = self.walk.call
        if call is None:
            self.left, self.watch, self.banned = 0, frozenset(), frozenset()
            return
        num_sampled, eos = len(self._ids), self.walk.template.eos
        bounds = [call.max_tokens, num_sampled + 1 if self._every_token else None]
        self.watch = eos | call.stop.watch if call.stop else eos
        self.banned = frozenset()
        if num_sampled < call.min_tokens:
            self.banned = call.banned
            self.watch -= self.banned
            bounds.append(call.min_tokens)
        start = _grace_start(call)
        if start is not None and num_sampled + 1 >= start:
            self.watch |= self.walk.template.boundaries
        elif start is not None:
            bounds.append(start - 1)
        limits = [bound - num_sampled for bound in bounds if bound is not None]
        self.left = min(limits) if limits else None

    def until_event(self, ids: Sequence[int]) -> int:
        """How many of these sampled ids there are up to the next event; 0 if it is not among them."""
        limit = len(ids) if self.left is None else min(self.left, len(ids))
        watched = next((n + 1 for n in range(limit) if ids[n] in self.watch), 0)
        return watched or (limit if limit == self.left else 0)

    def wake(self, ids: Sequence[int], logprobs: Sequence[float] | None) -> Turn:
        """Take the ids sampled since the last event; only the last of them may be a watched one."""
        before = len(self.walk.ids) + len(self._ids)
        self._ids.extend(ids)
        if logprobs is None:
            self._logprobs = None
        elif self._logprobs is not None:
            self._logprobs.extend(logprobs)
        finish = self._judge()
        if finish is None:
            self._aim()
            return Turn(0, ())
        kept = self._finish(finish)
        return Turn(before + len(ids) - kept, tuple(self.walk.ids[kept:]))

    def _judge(self) -> Finish | None:
        """Whether the ids so far end the call."""
        call, ids = self.walk.call, self._ids
        if call is None or not ids:
            return None
        if ids[-1] in self.walk.template.eos:
            return Finish.EOS
        if call.stop and ids[-1] in call.stop.watch and call.stop.ends(ids):
            return Finish.DELIMITER
        if call.max_tokens is not None and len(ids) >= call.max_tokens:
            return Finish.LENGTH
        start = _grace_start(call)
        if start is not None and len(ids) >= start and ids[-1] in self.walk.template.boundaries:
            return Finish.BOUNDARY
        return None

    def _finish(self, finish: Finish) -> int:
        assert self.walk.call is not None
        ids, logprobs = tuple(self._ids), self._logprobs
        if finish is Finish.EOS and self.walk.call.on_eos is OnEos.DISCARD:
            ids = ids[:-1]
        return self._hand_over(Completion(ids, None if logprobs is None else tuple(logprobs[: len(ids)]), finish))

    def _hand_over(self, completion: Completion) -> int:
        kept = self.walk.finish(completion)
        self._ids, self._logprobs = [], []
        self._aim()
        return kept


def _grace_start(call: Call) -> int | None:
    """The first token of a call (counted from 1) after which a boundary ends it."""
    if not call.grace or call.max_tokens is None:
        return None
    return max(1, call.max_tokens - call.grace, call.min_tokens)


def replay(
    request: Request,
    ids: Sequence[int],
    template: Template,
    context: int | None = None,
    sampled_mask: Sequence[bool] | None = None,
    logprobs: Sequence[float] | None = None,
    end: frozenset[int] = frozenset(),
) -> Trace:
    """Segments and mask of a completion, recovered from its ids: see `retrace`."""
    return retrace(Walk(request, template, context), ids, sampled_mask, logprobs, end)


def retrace(
    walk: Walk,
    ids: Sequence[int],
    sampled_mask: Sequence[bool] | None = None,
    logprobs: Sequence[float] | None = None,
    end: frozenset[int] = frozenset(),
) -> Trace:
    """Bring a new walk to its end by a completion that is known.

    What was discarded leaves no id. With the mask the recovery is exact all the same; without it a closing
    delimiter before the end of the budget is read as sampled, as it is on engines that cannot discard, and a
    "Wait" as the model's own.

    Args:
        walk: of the request, template and context that the completion was made with.
        ids: of the completion `[n]`.
        sampled_mask: False for forced ids `[n]`.
        logprobs: of the ids `[n]`; those of forced ids are not looked at.
        end: ids that an engine may have had to force behind the end to stop; they are not part of the trace.

    Raises:
        EngineError: the ids cannot have come from this request and template, or they end too early.
    """
    cursor = Cursor(walk)
    position = 0
    while not cursor.done:
        position = _read_forced(cursor, ids, position)
        forced = _first(sampled_mask, False, position, len(ids))
        num = cursor.until_event(ids[position:forced])
        if not num and forced == len(ids):
            raise EngineError(f"the {len(ids)} ids end within a call of strategy {walk.request.strategy!r}")
        end_of_run = position + num if num else forced
        cursor.wake(ids[position:end_of_run], None if logprobs is None else logprobs[position:end_of_run])
        position = end_of_run
        if not num:
            cursor._hand_over(_discarded(cursor, ids[forced : _first(sampled_mask, True, forced, len(ids))]))
        if cursor.ids[:position] != list(ids[:position]):
            raise EngineError(
                f"id {ids[position - 1]} at {position - 1} is one that {walk.request.strategy!r} discards"
            )
    position = _read_forced(cursor, ids, position)
    while position < len(ids) and ids[-1] in end:
        ids = ids[:-1]
    if cursor.walk.error is None and position != len(ids):
        raise EngineError(f"{len(ids) - position} ids follow the end of strategy {walk.request.strategy!r}")
    return cursor.walk.trace()


def _first(mask: Sequence[bool] | None, value: bool, start: int, stop: int) -> int:
    """The first place with this value; `stop` if there is none."""
    return stop if mask is None else next((n for n in range(start, stop) if mask[n] is value), stop)


def _read_forced(cursor: Cursor, ids: Sequence[int], position: int) -> int:
    """Pass over what the walk has forced since `position`, all of which must be there."""
    forced = cursor.walk.ids[position:]
    if list(ids[position : position + len(forced)]) != forced:
        raise EngineError(
            f"strategy {cursor.walk.request.strategy!r} forces {forced} at {position}, "
            f"where the ids are {list(ids[position : position + len(forced)])}"
        )
    return position + len(forced)


def _discarded(cursor: Cursor, forced: Sequence[int]) -> Completion:
    """What must have been discarded for the ids to go on with these forced ones."""
    request = cursor.walk.request
    closing, options = cursor.walk.template.closing_of(request.prompt), request.options
    sampled = tuple(cursor._ids)
    logprobs = None if cursor._logprobs is None else tuple(cursor._logprobs)
    begun, rest = closing.begun(sampled)
    close = rest if begun else (*cursor.walk.template.encode(options.wrap_up), *closing.forced)
    if tuple(forced[: len(close)]) == close:
        return Completion(sampled, logprobs, Finish.EOS)
    taken_back = (0.0,) * len(closing.ids)
    return Completion(
        (*sampled, *closing.ids), None if logprobs is None else (*logprobs, *taken_back), Finish.DELIMITER
    )
