"""One long thinking serves every smaller budget.

Draws are keyed by (seed, sample, position), so a request with a smaller budget would repeat the first tokens of one
with a larger budget. Of any engine that keeps that promise, `share` runs the longest request of each prompt first, and
answers calls of the others from what was recorded, cut to their own limits. Token for token this is what separate
runs would give, up to the rounding of the arithmetic.

Recordings live as long as one run: a sweep that is resumed generates again what the rest of it needs. Within a chunk
the rounds are barriers: followers are answered, or go on, when the leaders of all its groups are done.

    for trace in share(engine, (Walk(request, engine.template, engine.context) for request in requests)):
        trace.num_reused      # tells what was not generated again

With an engine that owns its random numbers it serves the same end with another promise: the thinking of a smaller
budget is the beginning of the longest one, and what follows is drawn anew. Anytime training needs no more.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from elastic_reasoning.core.call import Call, Completion, OnEos
from elastic_reasoning.core.segment import INTERRUPTS, Finish, Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine, run

CHUNK_SIZE = 1024
"""(prompt, sample) pairs that are worked on together."""


@dataclass(frozen=True, slots=True)
class _Recording:
    """What was sampled for a call, and how many draws that took: one more where an end of sequence was discarded."""

    completion: Completion
    on_eos: OnEos

    @property
    def num_draws(self) -> int:
        discarded = self.completion.finish is Finish.EOS and self.on_eos is OnEos.DISCARD
        return len(self.completion.ids) + discarded

    def cut(self, call: Call) -> Completion | None:
        """What an equal call with a limit of its own would have sampled; `None` if this does not tell."""
        ids, logprobs, finish = self.completion.ids, self.completion.logprobs, self.completion.finish
        limit = call.max_tokens
        is_open = finish is Finish.LENGTH or finish in INTERRUPTS  # more would have been sampled
        is_inner = is_open or finish in (Finish.PAUSE, Finish.LOOP)  # the last token of a call ends it for its length
        if limit is not None and (limit < self.num_draws or (limit == self.num_draws and is_inner)):
            return Completion(ids[:limit], logprobs and logprobs[:limit], Finish.LENGTH)
        if is_open:
            return None
        if finish is Finish.EOS and call.on_eos is not self.on_eos:
            if self.on_eos is OnEos.DISCARD:
                return None  # which end token it was has been forgotten
            return Completion(ids[:-1], logprobs and logprobs[:-1], finish)
        return self.completion


def share(engine: Engine, walks: Iterable[Walk], chunk_size: int = CHUNK_SIZE) -> Iterator[Trace]:
    """Bring walks to their ends, and answer what can be answered from what was generated for others.

    Args:
        engine: what generates; its draws must be keyed as `elastic_reasoning.engines.local.draws.uniforms` are.
        walks: those that share draws should come close to each other.
        chunk_size: (prompt, sample) pairs that are worked on together; their recordings are kept in memory.

    Raises:
        EngineError: the engine cannot go on.
    """
    chunk: list[Walk] = []
    keys: set[Hashable] = set()
    for walk in walks:
        key = _draws(walk)
        if key not in keys and len(keys) == chunk_size:
            yield from _share(engine, chunk)
            chunk, keys = [], set()
        chunk.append(walk)
        keys.add(key)
    yield from _share(engine, chunk)


def _share(engine: Engine, walks: list[Walk]) -> Iterator[Trace]:
    """Run the longest walk of each group, then answer what can be answered, until none is left."""
    recorded: dict[Hashable, _Recording] = {}
    waiting = walks
    while waiting:
        first: dict[Hashable, Walk] = {}
        for walk in sorted(waiting, key=_length, reverse=True):
            first.setdefault(_context(walk), walk)
        leading = list(first.values())
        led = {id(walk) for walk in leading}
        waiting = [walk for walk in waiting if id(walk) not in led]
        begun = {id(walk): len(walk.steps) for walk in leading}
        yield from run(engine, leading)
        for walk in leading:
            _record(recorded, walk, begun[id(walk)])
        for walk in waiting:
            _answer(recorded, walk)
        yield from (walk.trace() for walk in waiting if walk.call is None)
        waiting = [walk for walk in waiting if walk.call is not None]


def follow(walk: Walk, thought: Walk) -> None:
    """Give a fresh walk the thinking of another one that is over, as far as its own budget goes; it answers itself.

    Args:
        walk: of the same prompt and strategy, and of no larger budget for thinking; its draws may be others.
        thought: whose thinking it is.
    """
    steps = {step.position: step for step in thought.steps if step.call.phase is Phase.THINKING}
    while walk.call is not None and walk.call.phase is Phase.THINKING:
        position = len(walk.ids)
        step = steps.get(position)
        if step is None or walk.ids != thought.ids[:position] or _terms(step.call) != _terms(walk.call):
            return
        completion = _Recording(step.completion, step.call.on_eos).cut(walk.call)
        if completion is None:
            return
        walk.num_reused += max(0, walk.finish(completion) - position)


def _draws(walk: Walk) -> Hashable:
    """What decides a walk's draws, apart from its tokens."""
    request = walk.request
    return request.prompt.ids, request.sampling, request.sample


def _key(walk: Walk, ids: tuple[int, ...], call: Call) -> Hashable:
    """Calls with equal keys sample the same tokens until one of them has enough."""
    return _draws(walk), ids, _terms(call)


def _terms(call: Call) -> Hashable:
    """What a call asks for, apart from how much."""
    stop = call.stop.text if call.stop else None
    bans = (call.min_tokens, call.banned) if call.min_tokens else None
    grace = (call.grace, call.max_tokens) if call.grace else None
    ramp = (call.ramp, call.max_tokens) if call.ramp else None
    return stop, bans, call.forbidden, grace, ramp, call.loop, call.pause


def _context(walk: Walk) -> Hashable:
    return id(walk) if walk.call is None or walk.branches else _key(walk, tuple(walk.ids), walk.call)


def _length(walk: Walk) -> tuple[float, int]:
    """The most that a walk's call may sample, and, so that equal prefills stand together, what is there already."""
    if walk.call is None or walk.call.max_tokens is None:
        return float("inf"), len(walk.ids)
    return walk.call.max_tokens, len(walk.ids)


def _record(recorded: dict[Hashable, _Recording], walk: Walk, begun: int) -> None:
    """Keep what an engine sampled for a walk's calls."""
    for step in walk.steps[begun:]:
        # What stood when a call began stands to the end: only ids behind its position can have been taken back, and
        # what is forced in a probe.
        probed = tuple(token for _, ids in step.call.forced for token in ids) if step.call.probe else ()
        before = (*walk.ids[: step.position - len(probed)], *probed)
        key = _key(walk, before, step.call)
        recording = _Recording(step.completion, step.call.on_eos)
        if key not in recorded or recorded[key].num_draws <= recording.num_draws:
            recorded[key] = recording


def _answer(recorded: dict[Hashable, _Recording], walk: Walk) -> None:
    """Finish as many of a walk's calls as the recordings allow."""
    while walk.call is not None:
        known = recorded.get(_key(walk, tuple(walk.ids), walk.call))
        completion = known and known.cut(walk.call)
        if not completion:
            return
        before = len(walk.ids)
        walk.num_reused += max(0, walk.finish(completion) - before)
