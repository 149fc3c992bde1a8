"""A trace of several thinkings, made again from what it holds.

    replay_family(trace, context) == trace      # but for log-probabilities where it has none

Each branch is a request of its own and is replayed by itself; which branches there are, and which of them is chosen,
follows from them alone.
"""

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.replay import retrace
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk


def replay_family(trace: Trace, context: int | None = None) -> Trace:
    """The trace that the branches of a trace come to.

    Args:
        trace: whose branches are over; what it says itself is not looked at.
        context: tokens of prompt and completion that it was made with.

    Raises:
        EngineError: a branch cannot have come from its request, or is none that the strategy begins there.
    """
    walk, known = Walk(trace.request, trace.template, context), trace.branches
    begun = [*walk.branches]
    while begun and len(walk.branches) <= len(known):
        for branch, was in zip(begun, known[len(walk.branches) - len(begun) :], strict=False):
            if branch.request != was.request:
                raise EngineError(f"strategy {trace.request.strategy!r} begins {branch.request}, not {was.request}")
            retrace(branch, was.ids, was.sampled_mask, was.logprobs, interrupts=was.interrupts, probes=was.probes)
        begun = walk.branch() if len(walk.branches) < len(known) else []
    if len(walk.branches) != len(known):
        raise EngineError(
            f"strategy {trace.request.strategy!r} has {len(walk.branches)} branches there, the trace {len(known)}"
        )
    walk.choose()
    return walk.trace()
