"""The trace of a completion whose ids are known: segments and mask are a function of ids, request and template.

    replay(trace.request, trace.ids, trace.template, context, trace.sampled_mask) == trace    # but log-probabilities

A server's answer is read so, a sequence that was preempted is taken up so, and tests check traces so.
"""

from collections.abc import Mapping, Sequence

from elastic_reasoning.core.call import Completion
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.deadline import after_closing
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase, Probe
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk


class _Replay(Cursor):
    """A cursor that is interrupted where a known completion was, whatever its walk is told meanwhile."""

    interrupt: Finish | None = None

    def _interrupted(self) -> Finish | None:
        interrupt, self.interrupt = self.interrupt, None
        return interrupt


def replay(
    request: Request,
    ids: Sequence[int],
    template: Template,
    context: int | None = None,
    sampled_mask: Sequence[bool] | None = None,
    logprobs: Sequence[float] | None = None,
    end: frozenset[int] = frozenset(),
    interrupts: Mapping[int, Finish] | None = None,
    probes: Sequence[Probe] = (),
) -> Trace:
    """Segments and mask of a completion, recovered from its ids: see `retrace`."""
    return retrace(Walk(request, template, context), ids, sampled_mask, logprobs, end, interrupts, probes)


def retrace(
    walk: Walk,
    ids: Sequence[int],
    sampled_mask: Sequence[bool] | None = None,
    logprobs: Sequence[float] | None = None,
    end: frozenset[int] = frozenset(),
    interrupts: Mapping[int, Finish] | None = None,
    probes: Sequence[Probe] = (),
) -> Trace:
    """Bring a new walk to its end by a completion that is known.

    What was discarded leaves no id. With the mask the recovery is exact all the same; without it a closing
    delimiter before the end of the budget is read as sampled, as it is on engines that cannot discard, and a
    "Wait" as the model's own. Where a request has a deadline and nothing is said of interrupts, what time has forced is
    found as far as ids tell (`elastic_reasoning.core.deadline`).

    Args:
        walk: of the request, template and context that the completion was made with.
        ids: of the completion `[n]`.
        sampled_mask: False for forced ids `[n]`.
        logprobs: of the ids `[n]`; those of forced ids are not looked at.
        end: ids that an engine may have had to force behind the end to stop; they are not part of the trace.
        interrupts: what interrupted the walk, by how many ids there were then (`Trace.interrupts`). Where the ids end
            within a call, this says what ended it.
        probes: what was thrown away on the way (`Trace.probes`): the ids do not tell.

    Raises:
        EngineError: the ids cannot have come from this request and template, or they end too early.
    """
    is_timed = interrupts is None and walk.request.deadline_seconds is not None
    after = after_closing(walk.request, walk.template) if is_timed else None
    cursor, interrupts = _Replay(walk), dict(interrupts or {})
    position, probed = 0, iter(probes)
    while not cursor.done:
        if walk.call is not None and walk.call.probe:
            _repeat(cursor, next(probed, None))
            continue
        position = _read_forced(cursor, ids, position)
        if after is not None:
            closed, num = after.found(walk, ids, position, cursor.num_banned), cursor.until_event(ids[position:])
            interrupts = {} if closed is None or 0 < num <= closed - position else {closed: Finish.DEADLINE}
        forced = _first(sampled_mask, False, position, len(ids))
        interrupt = min((place for place in interrupts if position <= place <= forced), default=None)
        num = cursor.until_event(ids[position : forced if interrupt is None else interrupt])
        if not num and interrupt is None and forced == len(ids):
            raise EngineError(f"the {len(ids)} ids end within a call of strategy {walk.request.strategy!r}")
        stop = position + num if num else forced if interrupt is None else interrupt
        if not num and interrupt is not None:
            cursor.interrupt = interrupts[interrupt]
        cursor.wake(ids[position:stop], None if logprobs is None else logprobs[position:stop])
        position = stop
        if not num and interrupt is None:
            cursor._hand_over(_discarded(cursor, ids[forced : _first(sampled_mask, True, forced, len(ids))]))
            cursor.wake((), ())
        elif not num and interrupt is not None and (walk.call is None or walk.call.phase is not Phase.TOOL):
            del interrupts[interrupt]  # one that has closed a call within the beginning of a tool call ends that too
        is_probing = walk.call is not None and walk.call.probe  # which may hide ids
        if not is_probing and cursor.ids[:position] != list(ids[:position]):
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


def _repeat(cursor: Cursor, probe: Probe | None) -> None:
    """Answer a call that is a probe with what was sampled then."""
    walk, call = cursor.walk, cursor.walk.call
    assert call is not None
    forced = tuple(token for _, ids in call.forced for token in ids)
    if (
        probe is None
        or probe.segment.finish is None
        or (len(walk.ids) - len(forced), forced) != (probe.position, probe.forced)
    ):
        raise EngineError(f"strategy {walk.request.strategy!r} probes after {len(walk.ids)} ids, the trace does not")
    cursor._hand_over(Completion(probe.segment.ids, probe.segment.logprobs, probe.segment.finish))
    cursor.wake((), ())


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
    walk, sampled = cursor.walk, tuple(cursor._ids)
    closing = walk.template.closing_of(walk.request.prompt)
    words = walk.call.wrap_up if walk.call is not None else None
    logprobs = None if cursor._logprobs is None else tuple(cursor._logprobs)
    begun, rest = closing.begun(sampled)
    close = rest if begun else (*(words.ids(len(sampled)) if words else ()), *closing.forced)
    if tuple(forced[: len(close)]) == close:
        return Completion(sampled, logprobs, Finish.EOS)
    taken_back = (0.0,) * len(closing.ids)
    return Completion(
        (*sampled, *closing.ids), None if logprobs is None else (*logprobs, *taken_back), Finish.DELIMITER
    )
