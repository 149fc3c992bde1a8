"""What strategies are built of: thinking that is closed, a solution, plain sampling, and the room they have.

A tool call interrupts thinking or the solution. It is charged to neither, and no budget cuts it.
"""

from collections.abc import Generator
from dataclasses import dataclass

from elastic_reasoning.core.call import Call, Calls, OnEos
from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter, Tools
from elastic_reasoning.core.errors import ContextError, StrategyError
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Finish, Phase, Segment


class Room:
    """What is left of the model's context."""

    def __init__(self, context: int | None, prompt: Prompt) -> None:
        self.left = None if context is None else context - len(prompt.ids)
        if self.left is not None and self.left < 0:
            raise ContextError(
                f"the prompt has {len(prompt.ids)} tokens, {-self.left} more than the model's context of {context}"
            )

    def take(self, num_tokens: int) -> None:
        if self.left is not None:
            self.left -= num_tokens

    def limit(self, wanted: int | None, reserve: int = 0) -> int | None:
        """As many of the wanted tokens as fit before the reserve."""
        if self.left is None:
            return wanted
        free = max(0, self.left - reserve)
        return free if wanted is None else min(wanted, free)

    def demand(self, num_tokens: int, what: str) -> None:
        if self.left is not None and num_tokens > self.left:
            raise ContextError(
                f"{what} needs {num_tokens} tokens after the prompt, {num_tokens - self.left} more than the "
                f"model's context leaves: lower the budget"
            )


@dataclass(frozen=True, slots=True)
class Closed:
    """How thinking ended: what becomes of its last tokens, and what is forced to close it.

    `by_tool`: a tool call ended it, without a closing delimiter.
    """

    tail: int
    forced: tuple[tuple[Phase, tuple[int, ...]], ...]
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
) -> Generator[Call, Segment, Closed | None]:
    """Think at most `limit` tokens and leave `reserve` tokens of context for what comes after the delimiter.

    Args:
        wrap_up: text that is forced before a forced delimiter.
        grace: close at the first line or sentence end among the last `grace` tokens.
        min_thinking: a delimiter that is sampled before so many tokens is replaced by `wait`, or cannot be sampled.
        wait: text that replaces a delimiter.
        num_waits: how often any delimiter is replaced.

    Returns:
        How thinking was closed; `None` where the sequence ended in a tool call.
    """
    closing = template.closing_of(prompt)
    _check(closing, wrap_up, wait, min_thinking)
    wait_ids, wrap_up_ids = template.encode(wait), template.encode(wrap_up)
    opening = () if prompt.thinking is Thinking.OPEN else template.opening.forced
    reserve += len(wrap_up_ids) + closing.most_forced
    room.demand(len(opening) + (limit or 0) + reserve, "the budget")
    tools = template.tools_of(prompt)
    stop = AnyDelimiter((closing, *tools.openings)) if tools else closing
    banned = template.eos if wait_ids else template.eos | closing.watch
    num_thought, num_waited, tail, tail_phase = 0, 0, 0, None
    forced = ((Phase.OPENING, opening),) if opening else ()
    while True:
        room.take(sum(len(ids) for _, ids in forced))
        segment = yield Call(
            Phase.THINKING,
            max_tokens=room.limit(None if limit is None else limit - num_thought, reserve),
            forced=forced,
            stop=stop,
            on_eos=OnEos.DISCARD,
            min_tokens=max(0, min_thinking - num_thought),
            banned=banned if min_thinking else frozenset(),
            grace=grace,
            tail=tail,
            tail_phase=tail_phase,
        )
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
            return _force(closing, wrap_up_ids, segment.ids)
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
        num_waited += 1


def _force(closing: Delimiter, wrap_up: tuple[int, ...], ids: tuple[int, ...]) -> Closed:
    """Close thinking behind these ids, and complete what they may have begun of the delimiter."""
    begun, rest = closing.begun(ids)
    if begun:
        return Closed(begun, ((Phase.CLOSING, rest),))
    wrap = ((Phase.WRAP_UP, wrap_up),) if wrap_up else ()
    return Closed(0, (*wrap, (Phase.CLOSING, closing.forced)))


def _check(closing: Delimiter, wrap_up: str, wait: str, min_thinking: int) -> None:
    """Refuse options that this delimiter does not allow."""
    for name, text in (("wait", wait), ("wrap_up", wrap_up)):
        if closing.text in text:
            raise StrategyError(f"{name}={text!r} holds {closing.text!r}: leave it out, thinking is closed without it")
    one_token = len(closing.ids) == 1 and closing.watch == frozenset(closing.ids)
    if min_thinking and not wait and not one_token:
        raise StrategyError(
            f"min_thinking cannot forbid {closing.text!r}, which is not a single token: give wait='Wait' to replace it"
        )


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
