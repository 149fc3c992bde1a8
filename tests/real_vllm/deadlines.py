"""Listening to a real engine, and interrupting it."""

from typing import Any

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase, Segment
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, new_request
from letters import put_together
from real_vllm.same import problems

SOLUTION = 20
FEW_TOKENS = (1, 7, 20)
"""Tokens of thinking behind which a deadline comes."""
MOST_PROBLEMS = 60


def listened(engine: Any, requests: list[Request]) -> list[Trace]:
    """Traces of walks that all run together, while somebody listens, who is told all of them."""
    walks = [Walk(request, engine.template, engine.context) for request in requests]
    heard: list[list[Delta]] = [[] for _ in walks]
    futures = [engine.submit([walk], deltas.append)[0] for walk, deltas in zip(walks, heard, strict=True)]
    traces = [future.result(600).trace() for future in futures]
    num_pieces = num_segments = 0
    for trace, deltas in zip(traces, heard, strict=True):
        assert put_together(deltas) == list(trace.segments)
        if max((len(segment.ids) for segment in trace.segments if segment.sampled), default=0) >= 20:
            num_pieces, num_segments = num_pieces + len(deltas), num_segments + len(trace.segments)
    # What comes together is told together, so that a single trace may come as a whole on a busy machine.
    assert num_pieces > num_segments or not num_segments, "all came as a whole"
    return traces


def close_after(engine: Any, request: Request, num: int) -> Trace:
    """The trace of a walk whose thinking is closed by time, behind so many tokens."""
    walk = Walk(request, engine.template, engine.context)
    deltas: list[Delta] = []
    interrupted: list[int] = []

    def listen(delta: Delta) -> None:
        deltas.append(delta)
        so_far = sum(len(one.ids) for one in deltas if one.phase is Phase.THINKING)
        if not interrupted and so_far >= num:
            interrupted.append(so_far)
            walk.interrupt(Finish.DEADLINE, Phase.THINKING)

    [future] = engine.submit([walk], listen)
    trace = future.result(600).trace()
    assert put_together(deltas) == list(trace.segments)
    return trace


def check_deadlines(engine: Any, num: int) -> int:
    """So often, thinking that time has closed is followed by what follows one whose budget ends there; tries it took.

    Whether a deadline comes before the thought is over is a matter of the machine, so that it is tried until it did.
    """
    num_closed = 0
    tries = [(question, num_tokens) for question in problems(MOST_PROBLEMS) for num_tokens in FEW_TOKENS]
    for num_tries, (question, num_tokens) in enumerate(tries, start=1):
        greedy = Sampling(temperature=0)
        trace = close_after(engine, new_request(engine, question, f"200+{SOLUTION}", sampling=greedy), num_tokens)
        assert trace.error is None, trace.error
        thinking: Segment = trace.segments[0]
        if thinking.finish is not Finish.DEADLINE:
            continue
        assert num_tokens <= trace.num_thinking_tokens
        cut = Budget(trace.num_thinking_tokens, SOLUTION)
        [same] = generate(engine, [new_request(engine, question, cut, sampling=greedy)])
        assert trace.ids == same.ids, (trace.segments, same.segments)
        num_closed += 1
        if num_closed == num:
            return num_tries
    raise AssertionError(f"only {num_closed} of {len(tries)} thoughts were closed by time")
