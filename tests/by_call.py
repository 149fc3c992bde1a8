"""A third interpreter, for the two of the package to agree with: it takes a whole call at a time and has no cursor.

run_by_call(Walk(request, template), complete)
ask(ByCall(script, template), "2 + 2", "3+5")
"""

from collections.abc import Callable, Sequence

from elastic_reasoning.core.call import Call, Completion, OnEos, Pause
from elastic_reasoning.core.loops import repeats, step
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob

Complete = Callable[[tuple[int, ...], Call, int], Completion]
"""(ids of prompt and completion so far, the call, the position of the first draw) to what was sampled."""


def run_by_call(walk: Walk, complete: Complete) -> Trace:
    """Drive a walk with an engine that takes a whole call at a time."""
    while walk.call is not None:
        walk.finish(complete((*walk.request.prompt.ids, *walk.ids), walk.call, len(walk.ids)))
    return walk.trace()


class ByCall(ScriptedEngine):
    """A scripted engine without a cursor."""

    def _write(self, job: Job) -> None:
        num_prompt = len(job.walk.request.prompt.ids)

        def complete(context: tuple[int, ...], call: Call, position: int) -> Completion:
            ids = list(context[num_prompt:])
            finish = None
            while finish is None:
                self._sample(job.walk.request, ids, banned_of(call, len(ids) - position))
                finish = finish_of(self.template, call, ids[position:])
            new = ids[position:-1] if finish is Finish.EOS and call.on_eos is OnEos.DISCARD else ids[position:]
            logprobs = tuple(scripted_logprob(position + n, token) for n, token in enumerate(new))
            return Completion(tuple(new), logprobs, finish)

        while job.walk.call is not None and job.walk.call.phase is not job.until:
            context = (*job.walk.request.prompt.ids, *job.walk.ids)
            job.walk.finish(complete(context, job.walk.call, len(job.walk.ids)))


def finish_of(template: Template, call: Call, new: Sequence[int]) -> Finish | None:
    """Whether a call is over once these ids were sampled for it, and why."""
    if new[-1] in template.eos:
        return Finish.EOS
    if call.stop is not None and call.stop.ends(new):
        return Finish.DELIMITER
    if len(new) == call.max_tokens:
        return Finish.LENGTH
    grace_start = None if call.max_tokens is None else max(call.max_tokens - call.grace, call.min_tokens)
    if call.grace and new[-1] in template.boundaries and grace_start is not None and len(new) >= grace_start:
        return Finish.BOUNDARY
    if call.loop and len(new) % step(call.loop) == 0 and repeats(new, call.loop):
        return Finish.LOOP
    return Finish.PAUSE if call.pause and _pauses(template, call, call.pause, new) else None


def _pauses(template: Template, call: Call, pause: Pause, new: Sequence[int]) -> bool:
    if len(new) < pause.start or (call.stop and call.stop.pending(new)):
        return False
    at_boundary = pause.boundaries and new[-1] in template.boundaries
    at_word = pause.words is not None and pause.words.ends(new) > 0
    return at_boundary or at_word or (pause.every > 0 and len(new) >= pause.every)


def banned_of(call: Call, num_sampled: int) -> frozenset[int]:
    """What cannot be sampled after so many ids of a call."""
    return call.forbidden | (call.banned if num_sampled < call.min_tokens else frozenset())


ENGINES = {"token": ScriptedEngine, "call": ByCall}
