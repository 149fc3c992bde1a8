"""What strategies are built of: thinking that is closed, a solution, and plain sampling.

A tool call interrupts thinking or the solution. It is charged to neither, and no budget cuts it.
"""

from collections.abc import Generator
from dataclasses import dataclass

from elastic_reasoning.core.call import Call, Calls, OnEos, Pause, Ramp
from elastic_reasoning.core.counted_text import CountedText
from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.looking import GO_ON, Look, Next, Thought
from elastic_reasoning.core.room import Room
from elastic_reasoning.core.segment import Finish, Phase, Segment
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.tools import Tools

Forced = tuple[tuple[Phase, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """How thinking ended: what becomes of its last tokens, and what is forced to close it.

    `by_tool`: a tool call ended it, without a closing delimiter.
    """

    tail: int
    forced: Forced
    by_tool: bool = False


def think(
    prompt: Prompt,
    template: Template,
    room: Room,
    limit: int | None,
    reserve: int,
    *,
    wrap_up: str = "",
    grace: int = 0,
    min_thinking: int = 0,
    wait: str = "",
    num_waits: int = 0,
    loop: int = 0,
    landing: int = 0,
    peak: float = 0.0,
    forbidden: frozenset[int] = frozenset(),
    pause: Pause | None = None,
    look: Look | None = None,
) -> Generator[Call, Segment, Closed | None]:
    """Think at most `limit` tokens and leave `reserve` tokens of context for what comes after the delimiter.

    Args:
        wrap_up: text that is forced before a forced delimiter; {budget}, {used} and {left} in it stand for tokens.
        grace: close at the first line or sentence end among the last `grace` tokens.
        min_thinking: a delimiter that is sampled before so many tokens is replaced by `wait`, or cannot be sampled.
        wait: text that replaces a delimiter.
        num_waits: how often any delimiter is replaced.
        loop: close where the last so many tokens are one stretch, written over and over; 0 for never.
        landing: among the last so many tokens the delimiter becomes likelier with each.
        peak: see `Ramp`.
        forbidden: ids that are not thought.
        pause: where to `look`; counted from where thinking began or went on.
        look: says how thinking goes on.

    Returns:
        How thinking was closed; `None` where the sequence ended in a tool call.
    """
    closing = template.closing_of(prompt)
    wait_ids, words = template.encode(wait), CountedText.of(wrap_up, template.encode, limit)
    check_text(closing, "wait", wait)
    check_text(closing, "wrap_up", wrap_up)
    _check_minimum(closing, wait_ids, min_thinking)
    opening = () if prompt.thinking is Thinking.OPEN else template.opening.forced
    reserve += words.most + closing.most_forced
    room.demand(len(opening) + (limit or 0) + reserve, "the budget")
    tools = template.tools_of(prompt)
    stop = AnyDelimiter((closing, *tools.openings)) if tools else closing
    banned = template.eos if wait_ids else template.eos | closing.watch
    num_thought, num_waited, tail, tail_phase = 0, 0, 0, None
    forced: Forced = ((Phase.OPENING, opening),) if opening else ()
    thoughts: list[Segment] = []
    while True:
        room.take(sum(len(ids) for _, ids in forced))
        call = Call(
            Phase.THINKING,
            max_tokens=room.limit(None if limit is None else limit - num_thought, reserve),
            forced=forced,
            stop=stop,
            on_eos=OnEos.DISCARD,
            min_tokens=max(0, min_thinking - num_thought),
            banned=banned if min_thinking else frozenset(),
            forbidden=forbidden,
            grace=grace,
            ramp=Ramp(closing, landing, peak) if landing else None,
            pause=pause,
            loop=loop,
            wrap_up=words.after(num_thought) if words.parts else None,
            tail=tail,
            tail_phase=tail_phase,
        )
        segment = yield call
        thoughts.append(segment)
        if segment.finish is Finish.PAUSE:
            num_thought += len(segment.ids)
            room.take(len(segment.ids))
            thought = Thought(tuple(thoughts), num_thought, limit, closing.forced, room, reserve, template)
            then = GO_ON if look is None else (yield from look(thought))
            if then.close:
                return _force(closing, call.wrap_up, segment.ids)
            pause = pause if then.pause is None else then.pause
            forced, tail, tail_phase = _said(then, room, reserve, thoughts), 0, None
            continue
        opened = _opened(tools, segment)
        if tools and opened:
            num_thought += len(segment.ids) - opened
            room.take(len(segment.ids))
            after = AnyDelimiter((closing, template.opening)) if tools.resumes else tools.closing_of(segment.ids)
            used = yield from _use_tool(room, opened, after)
            if used.finish is not Finish.DELIMITER:
                return None
            tail = closing.ends(used.ids)
            if tail or not tools.resumes:
                return Closed(tail, (), by_tool=not tail)
            forced, tail, tail_phase = (), template.opening.ends(used.ids), Phase.OPENING
            continue
        if segment.finish is not Finish.DELIMITER:
            room.take(len(segment.ids))
            return _force(closing, call.wrap_up, segment.ids)
        tail, tail_phase = closing.ends(segment.ids), None
        num_new = len(segment.ids) - tail
        num_thought += num_new
        room.take(num_new)
        # A replacement that the model answered with another delimiter at once is not repeated: it would never end.
        too_early = num_thought < min_thinking and (num_new > 0 or num_waited == 0)
        wanted = wait_ids and (too_early or num_waited < num_waits)
        if not wanted or room.limit(len(wait_ids), reserve) != len(wait_ids):
            room.take(tail)
            return Closed(tail, ())
        forced = ((Phase.THINKING, wait_ids),)
        thoughts[-1:] = [Segment(Phase.THINKING, segment.ids[:num_new], True), Segment(Phase.THINKING, wait_ids, False)]
        num_waited += 1


def _said(then: Next, room: Room, reserve: int, thoughts: list[Segment]) -> Forced:
    """What is forced into thinking, where there is room for it."""
    if not then.say or room.limit(len(then.say), reserve) != len(then.say):
        return ()
    thoughts.append(Segment(Phase.THINKING, then.say, sampled=False))
    return ((Phase.THINKING, then.say),)


def _force(closing: Delimiter, wrap_up: CountedText | None, ids: tuple[int, ...]) -> Closed:
    """Close thinking behind these ids, and complete what they may have begun of the delimiter."""
    begun, rest = closing.begun(ids)
    if begun:
        return Closed(begun, ((Phase.CLOSING, rest),))
    words = wrap_up.ids(len(ids)) if wrap_up else ()
    wrap = ((Phase.WRAP_UP, words),) if words else ()
    return Closed(0, (*wrap, (Phase.CLOSING, closing.forced)))


def _check_minimum(closing: Delimiter, wait: tuple[int, ...], min_thinking: int) -> None:
    """Refuse a minimum where the delimiter can neither be replaced nor forbidden."""
    one_token = len(closing.ids) == 1 and closing.watch == frozenset(closing.ids)
    if min_thinking and not wait and not one_token:
        raise StrategyError(
            f"min_thinking cannot forbid {closing.text!r}, which is not a single token: give wait='Wait' to replace it"
        )


def check_text(closing: Delimiter, name: str, text: str) -> None:
    """Refuse to force a text into thinking that would close it.

    Raises:
        StrategyError: it holds the delimiter.
    """
    if closing.text in text:
        raise StrategyError(f"{name}={text!r} holds {closing.text!r}: leave it out, thinking is closed without it")


def _opened(tools: Tools | None, segment: Segment) -> int:
    """How many of the last ids open a tool call that is still open: 0 if none is."""
    return 0 if tools is None or segment.finish is Finish.EOS else tools.opened(segment.ids)


def _use_tool(room: Room, opened: int, after: Delimiter | None) -> Generator[Call, Segment, Segment]:
    """Let the tool call go on that the last `opened` ids open, until a delimiter or the sequence ends it."""
    used = yield Call(Phase.TOOL, room.limit(None), stop=after, tail=opened, tail_phase=Phase.TOOL)
    room.take(len(used.ids))
    return used


def solve(
    room: Room,
    closed: Closed,
    max_tokens: int | None,
    answer: tuple[int, ...] = (),
    stop: Delimiter | None = None,
) -> Call:
    """Close thinking, force the words that an answer begins with, and sample at most `max_tokens` of it."""
    forced = (*closed.forced, (Phase.SOLUTION, answer)) if answer else closed.forced
    room.take(sum(len(ids) for _, ids in forced))
    return Call(
        Phase.SOLUTION,
        max_tokens=room.limit(max_tokens),
        forced=forced,
        stop=stop,
        tail=closed.tail,
        tail_phase=Phase.CLOSING,
    )


def solve_with_tools(
    prompt: Prompt,
    template: Template,
    room: Room,
    closed: Closed | None,
    max_tokens: int | None,
    answer: tuple[int, ...] = (),
) -> Calls:
    """`solve` what `think` has closed, and let tool calls interrupt the solution."""
    if closed is None:
        return
    answer = () if closed.by_tool else answer
    num_forced = sum(len(ids) for _, ids in closed.forced) + len(answer)
    if room.limit(num_forced) != num_forced:  # a tool call has taken what was kept for it
        return
    tools = template.tools_of(prompt)
    stop = AnyDelimiter(tools.openings) if tools else None
    call = solve(room, closed, max_tokens, answer, stop)
    while True:
        segment = yield call
        opened = _opened(tools, segment)
        if tools is None or not opened:
            return
        room.take(len(segment.ids))
        used = yield from _use_tool(room, opened, tools.closing_of(segment.ids))
        if used.finish is not Finish.DELIMITER:
            return
        if max_tokens is not None:
            max_tokens -= len(segment.ids) - opened
        call = solve(room, Closed(0, ()), max_tokens, stop=stop)


def plain(prompt: Prompt, template: Template, room: Room, total: int | None, cap: int | None = None) -> Calls:
    """Sample until an end of sequence.

    `total` is demanded of the context and does not count delimiters; `cap` is a hard cap on all tokens that the
    context may lower.
    """
    waited = {
        Thinking.ABSENT: (template.opening, template.closing),
        Thinking.OPEN: (template.closing,),
        Thinking.CLOSED: (),
    }[prompt.thinking]
    room.demand((total or 0) + sum(len(delimiter.ids) for delimiter in waited), "the budget")
    left = cap if total is None else total
    tail, tail_phase = 0, None
    for delimiter in waited:
        phase = Phase.THINKING if delimiter is template.closing else Phase.SOLUTION
        segment = yield Call(phase, room.limit(left), stop=delimiter, tail=tail, tail_phase=tail_phase)
        if segment.finish is not Finish.DELIMITER:
            return
        tail = delimiter.ends(segment.ids)
        tail_phase = Phase.CLOSING if delimiter is template.closing else Phase.OPENING
        room.take(len(segment.ids))
        if left is not None:
            left -= len(segment.ids) - (min(tail, delimiter.longest) if cap is None else 0)
    yield Call(Phase.SOLUTION, room.limit(left), tail=tail, tail_phase=tail_phase)
