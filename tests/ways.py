"""Every way to spend a budget that looks at what was said, or thinks several times: what engines owe all of them.

for way in WAYS:
    check_way(engine, way, 12, seen)
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from checker import check
from elastic_reasoning.core.family import replay_family
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.tasks.arithmetic import Arithmetic

BUDGETS = ("6+20", "24+20", "64+20")
PROBE = {"probe_text": "{close} Final Answer:", "probe_tokens": 2}
WAYS: dict[str, dict[str, Any]] = {
    "dynasor": {**PROBE, "probe_every": 8, "num_equal": 2},
    "deer": {**PROBE, "probe_words": "wait"},
    "nowait": {"forbidden_words": "hmm,wait,check,again"},
    "reminders": {"reminder": "Think for maximum {left} tokens.", "parts": 4},
    "alpha-one": {"slow_after": "ok,wait,hmm,check,again", "slow_text": "wait", "fast_words": "wait"},
    "allocated": {**PROBE, "rule": "8: 1 -1*probe; 24: 0.5 0.4*recent -1*same"},
    "vote": {"num_branches": 3, "solution_tokens": 8},
    "short-m": {"num_branches": 3, "solution_tokens": 8},
    "deepconf": {"num_branches": 4, "num_warmup": 2, "window": 8, "solution_tokens": 8},
}
"""With options that make them do what they do on the shipped miniature."""
ALONE = tuple(name for name in WAYS if find_strategy(name).siblings is None)
"""Those with one thinking."""


def check_way(engine: Any, way: str, num: int, seen: Callable[[str], None]) -> None:
    """So many traces are what they have to be, and some of them do what the way is for."""
    traces = list(generate(engine, requests_of(engine, way, num)))
    wrong = [f"{trace.request.name}: {fault}" for trace in traces for fault in faults_of(trace, engine.context)]
    assert not wrong, "\n".join(wrong[:10])
    num_done = did_something(way, traces)
    assert num_done
    seen(f"{len(traces)} traces, none wrong, {num_done} in which {way} does what no other way does")


def requests_of(engine: Any, way: str, num: int, temperature: float = 1.0) -> list[Request]:
    """The first problems of arithmetic under every budget, each request with a name and a seed of its own."""
    return [
        new_request(
            engine,
            problem.messages,
            budget,
            way,
            Options(**WAYS[way]),
            Sampling(temperature, seed=number),
            name=f"{number} {budget} {way}",
        )
        for number, problem in enumerate(Arithmetic().problems("test", num))
        for budget in BUDGETS
    ]


def faults_of(trace: Trace, context: int | None) -> Iterator[str]:
    """What is wrong with a trace of such a request: it cannot be made again from itself, or a branch is not exact."""
    if trace.error is not None:
        yield trace.error
        return
    if trace.branches:
        again = replay_family(trace, context)
        for branch in trace.branches:
            if not any(segment.finish == "stop" for segment in branch.segments):
                yield from check(branch, context)
    else:
        again = replay(
            trace.request, trace.ids, trace.template, context, trace.sampled_mask, trace.logprobs, probes=trace.probes
        )
        if not trace.probes and not find_strategy(trace.request.strategy).by_chance:
            yield from check(trace if trace.logprobs else _with_logprobs(trace, context), context)
    if again != trace:
        yield f"made again it is {again}"
    total = trace.request.budget.total
    completions = trace.branches or (trace,)
    num_sampled = sum(len(s.ids) for each in completions for s in each.segments if s.sampled and s.phase != "closing")
    if total is not None and num_sampled > total:
        yield f"{num_sampled} tokens sampled, of {total}"


def _with_logprobs(trace: Trace, context: int | None) -> Trace:
    """The same trace, for a judge that wants log-probabilities: an engine gives none where it was told to forbid."""
    logprobs = [-1.0 if sampled else 0.0 for sampled in trace.sampled_mask]
    return replay(trace.request, trace.ids, trace.template, context, trace.sampled_mask, logprobs)


def did_something(way: str, traces: Sequence[Trace]) -> int:
    """In how many traces a way has done what no other does, as probing, closing early, or thinking several times."""
    if way in ("dynasor", "deer", "allocated"):
        return sum(bool(trace.probes) for trace in traces)
    if find_strategy(way).siblings is not None:
        return sum(len(trace.branches) > 1 for trace in traces)
    if way == "nowait":
        return sum(
            not any(word in trace.thinking_text.split() for word in ("hmm", "wait", "check")) for trace in traces
        )
    return sum(any(s.phase == "thinking" and not s.sampled for s in trace.segments) for trace in traces)
