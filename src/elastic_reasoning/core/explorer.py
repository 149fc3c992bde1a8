"""The automaton of a request, found by asking its strategy whatever may happen.

    automaton = automaton_of(Walk(request, template, context), end)   # None where it has none

A strategy says itself whether it has one (`Strategy.counts_only`): what comes next follows from how a call ended and
from how many tokens there were. It is not written a second time. A walk of it is answered with whatever may end each
call, in few tokens and in many, and what it says to that are the states.

How many tokens a call may sample is found to be a number of its own, or what is left up to a place in the completion,
or the lesser of the two; a strategy that reckons otherwise has no automaton.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from elastic_reasoning.core.automaton import EOS, NO_END, Automaton, State, classes_of
from elastic_reasoning.core.call import Call, Completion, OnEos
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt, Template
from elastic_reasoning.core.walk import Walk

UNLIMITED = 1000
"""Tokens that are tried as the most of a call that has no limit."""
MOST_STATES = 128
"""A request with more of them, as for long forced texts, has no automaton."""
MOST_BOUNDS = 4
"""Nor has one in which more bounds may be reached at one place, ..."""
MOST_BANNED, MOST_BANS = 32, 4
"""... or one that bans more ids at once, or more kinds of them."""
OVER = 0
"""The state that forces an end of sequence for ever."""


def automaton_of(walk: Walk, end: int) -> Automaton | None:
    """The automaton of a walk; `None` where what comes next is for its strategy to say, or for the clock.

    Args:
        walk: one that has not begun.
        end: the id that is forced when all is over.
    """
    request, template = walk.request, walk.template
    if walk.error is not None or request.deadline_seconds is not None:
        return None
    prompt = Prompt((), request.prompt.thinking, template.tools_of(request.prompt) is not None)
    room = None if walk.context is None else walk.context - len(request.prompt.ids)
    return _automaton(Request(prompt, request.budget, request.strategy, request.options), template, room, end)


@lru_cache(maxsize=1024)
def _automaton(request: Request, template: Template, context: int | None, end: int) -> Automaton | None:
    if not find_strategy(request.strategy, request.options).counts_only:
        return None
    try:
        return _Explorer(request, template, context).explore(end)
    except _NoAutomatonError:
        return None


class _NoAutomatonError(Exception):
    """What a request may do is not known in advance."""


Event = tuple[Finish, int]
"""How a call ends, and with how many ids of a delimiter that is unfinished."""
Way = tuple[Event, ...]
"""How the calls so far have ended."""
SHARES = (0.0, 0.5, 1.0)
"""In how many tokens they have: the fewest, the most, and half-way."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where a walk stands behind calls that have ended: after so many ids, the last of them forced."""

    position: int
    forced: tuple[int, ...]
    call: Call | None

    @property
    def limit(self) -> int | None:
        return None if self.call is None else self.call.max_tokens

    @property
    def kind(self) -> Call | None:
        """What it waits for, but for how many tokens, and for what is known by now."""
        return self.call and replace(self.call, max_tokens=None, forced=(), wrap_up=None, tail=0, tail_phase=None)


class _Explorer:
    """Answers the walk of a request in every way."""

    def __init__(self, request: Request, template: Template, context: int | None) -> None:
        self._request, self._template, self._context = request, template, context
        self._classes = classes_of(template)
        self._num_classes = 1 + max(self._classes.values())
        self._word = next(token for token in range(template.num_tokens) if token not in self._classes)
        self._states: list[State] = []

    def explore(self, end: int) -> Automaton:
        self._states.append(State((OVER,) * self._num_classes, OVER, forced=end))
        start = self._enter(())
        bans = {state.banned for state in self._states}
        if len(bans) > MOST_BANS or any(len(ids) > MOST_BANNED for ids in bans):
            raise _NoAutomatonError
        return Automaton(tuple(self._states), start, self._classes, _depth(self._states))

    def _add(self) -> int:
        """The number of a further state, which is still to be written."""
        if len(self._states) == MOST_STATES:
            raise _NoAutomatonError
        self._states.append(self._states[OVER])
        return len(self._states) - 1

    def _enter(self, way: Way) -> int:
        """The state behind calls that have ended so; `OVER` also where they cannot."""
        shares = SHARES if any(finish is not Finish.LENGTH for finish, _ in way) else SHARES[:1]
        stops = [stop for share in shares if (stop := self._stop(way, share)) is not None]
        if not stops:
            return OVER
        first = stops[0]
        if any((stop.forced, stop.kind) != (first.forced, first.kind) for stop in stops):
            raise _NoAutomatonError
        state = OVER if first.call is None else self._sample(way, first.call, *_limits(stops))
        for token in reversed(first.forced):
            number = self._add()
            self._states[number] = State((state,) * self._num_classes, number, forced=token)
            state = number
        return state

    def _stop(self, way: Way, share: float) -> _Stop | None:
        """Where a walk stands behind calls that have ended so; `None` where one of them cannot."""
        walk = Walk(self._request, self._template, self._context)
        stops = _stops(walk, 0, 0)
        for event in way:
            stop = stops.pop(0)
            ids = None if stop.call is None else self._said(stop.call, event, share)
            if ids is None:
                return None
            if not stops:  # else the walk has gone on by itself from a call that may sample nothing
                num_steps, num_ids = len(walk.steps), len(walk.ids) + len(ids)
                if walk.finish(Completion(ids, None, event[0])) != num_ids:
                    raise _NoAutomatonError
                stops = _stops(walk, num_steps + 1, num_ids)
        if walk.error is not None or walk.branches:
            raise _NoAutomatonError
        return stops[0]

    def _said(self, call: Call, event: Event, share: float) -> tuple[int, ...] | None:
        """What ends a call so; `None` where it cannot."""
        finish, num_begun = event
        most = call.max_tokens
        marks = call.stop.ids if call.stop else ()
        if finish is Finish.LENGTH:
            last = marks[:num_begun]
            return None if most is None or most < len(last) else (self._word,) * (most - len(last)) + last
        last = marks if finish is Finish.DELIMITER else (min(self._template.eos),)
        fewest = call.min_tokens + len(last)
        if most is not None and most < fewest:
            return None
        most = fewest + UNLIMITED if most is None else most
        return (self._word,) * (fewest + int(share * (most - fewest)) - len(last)) + last

    def _sample(self, way: Way, call: Call, num_tokens: int, last: int) -> int:
        """The state in which a call begins."""
        self._check(call)
        num_banned = min(call.min_tokens if call.banned else 0, num_tokens)
        entry = self._go_on(way, call, num_tokens if num_tokens == NO_END else num_tokens - num_banned, last)
        if not num_banned:
            return entry
        inner, first = self._add(), self._add()
        state = State((inner,) * self._num_classes, entry, banned=call.banned | call.forbidden)
        self._states[inner] = state
        self._states[first] = replace(state, is_entry=True, num_tokens=num_banned, last=last)
        return first

    def _go_on(self, way: Way, call: Call, num_tokens: int, last: int) -> int:
        """The state in which a call begins once nothing is banned for a while."""
        marks = call.stop.ids if call.stop else ()
        entry, *inner = (self._add() for _ in range(1 + max(1, len(marks))))
        at_delimiter = self._enter((*way, (Finish.DELIMITER, 0))) if marks else OVER
        at_end = self._enter((*way, (Finish.EOS, 0))) if call.on_eos is OnEos.END else OVER  # else it cannot be sampled
        moves = call.on_eos is OnEos.DISCARD and not call.forbidden & self._template.eos
        for num_begun, number in enumerate(inner):
            after = [inner[0]] * self._num_classes
            after[EOS] = at_end
            for token in marks:
                size = _begun((*marks[:num_begun], token), marks)
                after[self._classes[token]] = at_delimiter if size == len(marks) else inner[size]
            self._states[number] = State(
                tuple(after),
                at_bound=self._enter((*way, (Finish.LENGTH, num_begun))),
                moves_to=marks[num_begun] if moves else None,
                banned=call.forbidden,
                landing=(marks[num_begun], call.ramp.num_tokens, call.ramp.peak) if call.ramp and marks else None,
            )
        self._states[entry] = replace(self._states[inner[0]], is_entry=True, num_tokens=num_tokens, last=last)
        return entry

    def _check(self, call: Call) -> None:
        """Refuse what is not decided by counts and by a delimiter of fixed ids."""
        stop, eos = call.stop, self._template.eos
        if call.pause or call.loop or call.grace or call.probe:
            raise _NoAutomatonError
        if stop is not None and not (isinstance(stop, TokenDelimiter) and set(stop.ids) <= set(self._classes) - eos):
            raise _NoAutomatonError
        closes = call.on_eos is OnEos.DISCARD or call.ramp is not None
        if closes and (stop is None or stop.ids != self._template.closing.ids):
            raise _NoAutomatonError
        ends = eos | (stop.watch if stop else frozenset())
        if call.min_tokens and call.banned and not (ends <= call.banned and (stop is None or len(stop.ids) == 1)):
            raise _NoAutomatonError


def _stops(walk: Walk, num_steps: int, num_ids: int) -> list[_Stop]:
    """The calls that a walk has come to since so many steps and ids; all but the last one may sample nothing."""
    calls = [(step.position, step.call) for step in walk.steps[num_steps:]]
    stops = []
    for position, call in (*calls, (len(walk.ids), walk.call)):
        stops.append(_Stop(position, tuple(walk.ids[num_ids:position]), call))
        num_ids = position
    return stops


def _begun(ids: Sequence[int], marks: Sequence[int]) -> int:
    """How many of the last ids begin the delimiter, or are it."""
    return next((size for size in range(len(ids), 0, -1) if tuple(ids[-size:]) == tuple(marks[:size])), 0)


def _limits(stops: Sequence[_Stop]) -> tuple[int, int]:
    """How many tokens a call may sample: so many, but up to so many ids of the completion."""
    limits = {stop.limit for stop in stops}
    if limits == {None}:
        return NO_END, NO_END
    found = [(stop.position, stop.limit) for stop in stops if stop.limit is not None]
    first, last = min(found), max(found)
    num_tokens, end = first[1], NO_END
    if len(limits) > 1:
        end = sum(last)
        num_tokens = NO_END if sum(first) == end else first[1]
    if len(found) < len(stops) or any(min(num_tokens, end - position) != limit for position, limit in found):
        raise _NoAutomatonError
    return num_tokens, end


def _depth(states: Sequence[State]) -> int:
    """How many bounds may be reached at one place."""
    most = 1
    for number in range(len(states)):
        num, at = 0, number
        while states[at].forced is None and num <= MOST_BOUNDS:
            num, at = num + 1, states[at].at_bound
        most = max(most, num)
    if most > MOST_BOUNDS:
        raise _NoAutomatonError
    return most
