"""A third interpreter, for the two of the package to agree with: it takes a whole call at a time and has no cursor.

run_by_call(Walk(request, template), complete)
ask(ByCall(script, template), "2 + 2", "3+5")
"""

from collections.abc import Callable, Sequence

from elastic_reasoning.core.call import Call, OnEos
from elastic_reasoning.core.trace import Finish, Trace
from elastic_reasoning.core.walk import Completion, Walk
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
                banned = call.banned if len(ids) - position < call.min_tokens else frozenset[int]()
                self._sample(job.walk.request, ids, banned)
                finish = self._finish(call, ids[position:])
            new = ids[position:-1] if finish is Finish.EOS and call.on_eos is OnEos.DISCARD else ids[position:]
            logprobs = tuple(scripted_logprob(position + n, token) for n, token in enumerate(new))
            return Completion(tuple(new), logprobs, finish)

        while job.walk.call is not None and job.walk.call.phase is not job.until:
            context = (*job.walk.request.prompt.ids, *job.walk.ids)
            job.walk.finish(complete(context, job.walk.call, len(job.walk.ids)))

    def _finish(self, call: Call, new: Sequence[int]) -> Finish | None:
        if new[-1] in self.template.eos:
            return Finish.EOS
        if call.stop is not None and call.stop.ends(new):
            return Finish.DELIMITER
        if len(new) == call.max_tokens:
            return Finish.LENGTH
        if call.grace and call.max_tokens is not None and new[-1] in self.template.boundaries:
            window = len(new) >= call.max_tokens - call.grace and len(new) >= call.min_tokens
            return Finish.BOUNDARY if window else None
        return None


ENGINES = {"token": ScriptedEngine, "call": ByCall}
