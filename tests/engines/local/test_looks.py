"""Probes on real models of several families: what is taken back leaves nothing behind."""

import threading
from dataclasses import replace
from typing import Any

import pytest
import torch

from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, run
from elastic_reasoning.engines.sharing import share
from letters import put_together
from tiny import CONTEXT, KINDS, by_plain_forward, new_engine, prompt, tiny

LOOKING = [kind for kind in KINDS if kind[0] in ("dynasor", "deer", "reminders", "alpha-one")]


def requests_of(num: int) -> list[Request]:
    return [
        Request(
            prompt(2 + n % 5),
            Budget(8 + n % 7, 3),
            LOOKING[n % len(LOOKING)][0],
            Options(LOOKING[n % len(LOOKING)][1]),
            Sampling(seed=n % 3),
            sample=n,
            name=str(n),
        )
        for n in range(num)
    ]


def shape(trace: Trace) -> list[object]:
    probes = [(p.position, p.forced, p.segment.ids, p.segment.finish) for p in trace.probes]
    return [*((s.phase, s.ids, s.sampled, s.finish) for s in trace.segments), *probes, trace.error]


def plain_logprobs(model: Any, trace: Trace) -> list[float]:
    """What a forward of the whole sequence says of its sampled tokens, at temperature 1."""
    prompt_ids = trace.request.prompt.ids
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt_ids, *trace.ids]]), use_cache=False).logits[0].double()
    places = enumerate(zip(trace.ids, trace.sampled_mask, strict=True), len(prompt_ids) - 1)
    return [float(logits[n].log_softmax(-1)[token]) if sampled else 0.0 for n, (token, sampled) in places]


@pytest.mark.parametrize("family", ["llama", "mistral", "gpt_oss", "lfm2"])
def test_a_batch_that_probes_is_answered_as_plain_forwards_answer_it(family: str) -> None:
    """Rows that probe stand beside others; windows slide, and recurrent states must go back."""
    engine = new_engine(tiny(family), max_rows=3)
    traces = list(generate(engine, requests_of(16)))
    assert sum(len(trace.probes) for trace in traces) > 4
    for trace in traces:
        assert check(trace, CONTEXT) == []
        assert shape(trace) == shape(by_plain_forward(engine.model, engine.template, trace.request))


def test_a_sweep_of_budgets_shares_thinking_and_probes() -> None:
    name, options = LOOKING[0]
    requests = [
        Request(prompt(3), Budget(t, 3), name, Options(options), sample=sample, name=f"{t} {sample}")
        for t in (4, 7, 10, 20, 30)
        for sample in range(4)
    ]
    engine = new_engine(tiny())
    alone = {trace.request.name: trace for trace in generate(engine, requests)}
    walks = [Walk(request, engine.template, engine.context) for request in requests]
    shared = {trace.request.name: trace for trace in share(engine, walks)}
    assert {key: shape(trace) for key, trace in shared.items()} == {key: shape(trace) for key, trace in alone.items()}
    assert sum(trace.num_reused for trace in shared.values()) > 0


def test_a_listener_is_told_nothing_of_probes() -> None:
    engine = new_engine(tiny())
    for request in requests_of(8):
        deltas: list[Delta] = []
        [trace] = run(engine, [Walk(request, engine.template, engine.context)], deltas.append)
        assert put_together(deltas) == list(trace.segments)
        assert all(delta.phase is not Phase.PROBE for delta in deltas)


@pytest.mark.parametrize("finish", [Finish.DEADLINE, Finish.ABORT])
@pytest.mark.parametrize("num_asked", [0, 1])
def test_a_walk_is_interrupted_within_a_probe(finish: Finish, num_asked: int) -> None:
    """Before all of its text has been fed, and behind it."""
    engine = new_engine(tiny())
    request = replace(requests_of(1)[0], budget=Budget(30, 3))
    done = threading.Event()
    walk = Walk(request, engine.template, engine.context)

    def listen(delta: Delta) -> None:
        is_probing = walk.call is not None and walk.call.probe
        if is_probing and len(walk.probes) >= num_asked and not done.is_set():
            done.set()
            walk.interrupt(finish)

    [trace] = run(engine, [walk], listen)
    assert done.is_set()
    assert check(trace, CONTEXT) == []
    thinking = [segment for segment in trace.segments if segment.phase is Phase.THINKING]
    assert thinking[-1].finish is finish
    assert plain_logprobs(engine.model, trace) == pytest.approx(trace.logprobs, abs=1e-4)
