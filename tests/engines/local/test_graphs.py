"""Steps that are recorded and replayed, and launched before what the last one drew is known; a tape is the graph."""

import logging
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from checker import check
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, run
from elastic_reasoning.engines.local import graphs, self_check
from elastic_reasoning.engines.local.graphs import Graphed, Unwaiting, columns_in_bucket, rows_in_bucket
from elastic_reasoning.engines.local.self_check import choose_store
from elastic_reasoning.engines.local.slots import Slots
from letters import letters, put_together
from tape import Tape, graphed_engine, told
from tiny import CONTEXT, PLAIN_FAMILIES, biased, build, mixed_requests, new_engine, request, tiny

EAGER = {3: 2.5, 4: 2.5}


def assert_same(model: Any, template: Template, requests: list[Request], max_rows: int = 5) -> list[Trace]:
    """Token for token what it is step by step."""
    expected = {t.request.name: t for t in generate(new_engine(model, template, max_rows), requests)}
    found = list(generate(graphed_engine(model, template, max_rows), requests))
    assert len(found) == len(requests)
    assert Tape.num_replays > 10
    for trace in found:
        assert told(trace) == told(expected[trace.request.name])
        assert trace.logprobs == pytest.approx(expected[trace.request.name].logprobs, abs=1e-5)
        assert check(trace, CONTEXT) == []
        assert trace.error is None
    return found


@pytest.mark.parametrize("family", PLAIN_FAMILIES)
def test_every_family_gives_what_it_gives_step_by_step(family: str) -> None:
    assert_same(tiny(family), letters("OP", "CD"), mixed_requests(13))


@pytest.mark.parametrize("delimiter", [letters(), letters("OP", "CDD")], ids=["one token", "several tokens"])
def test_pauses_probes_bans_and_what_is_taken_back(delimiter: Template) -> None:
    traces = [t for rows in (1, 7) for t in assert_same(biased(tiny(), EAGER), delimiter, mixed_requests(39), rows)]
    finishes = {str(segment.finish) for trace in traces for segment in trace.segments}
    assert finishes >= {"delimiter", "eos", "length", "pause"}
    assert sum(len(trace.probes) for trace in traces) >= 4


def test_the_last_column_of_the_context_is_used() -> None:
    """A step that is thrown away stands behind it, and positions are learned: there is none for it."""
    model = biased(tiny("gpt2"), {0: -50.0})
    traces = assert_same(model, letters(), [request(65, "20+10", sample=n, min_thinking=20) for n in range(4)])
    assert {len(trace.ids) + len(trace.request.prompt.ids) for trace in traces} == {CONTEXT}


def test_a_listener_is_told_every_token_and_an_interrupt_is_heeded() -> None:
    engine = graphed_engine(biased(tiny(), {0: -50.0, 3: -50.0}), max_rows=3)
    heard: list[Delta] = []
    walk = Walk(request(4, "60+5"), engine.template, engine.context)

    def listen(delta: Delta) -> None:
        heard.append(delta)
        if len(heard) == 9:
            walk.interrupt(Finish.DEADLINE)

    [trace] = run(engine, [walk], listen)
    assert put_together(heard) == list(trace.segments)
    assert [segment.finish for segment in trace.segments if segment.sampled] == ["deadline", "length"]
    assert 9 <= trace.num_thinking_tokens <= 11
    num = trace.num_thinking_tokens
    [plain] = generate(new_engine(engine.model), [request(4, f"{num}+5")])
    assert plain.ids == trace.ids


def test_what_is_drawn_for_a_listener_is_not_drawn_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event at every token, of which none changes what comes next."""
    engine, decode, columns = graphed_engine(biased(tiny(), {0: -50.0, 3: -50.0})), Graphed.decode, list[int]()

    def noting(self: Graphed, tokens: torch.Tensor, positions: torch.Tensor, at: Any) -> torch.Tensor:
        columns.append(int(at[0]))
        return decode(self, tokens, positions, at)

    monkeypatch.setattr(Graphed, "decode", noting)
    [_] = run(engine, [Walk(request(4, "30+0"), engine.template, engine.context)], lambda delta: None)
    assert len(columns) - len(set(columns)) <= 2


def test_rows_that_end_leave_holes_until_half_of_them_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, moved = graphed_engine(biased(tiny(), {0: -50.0, 3: -50.0}), max_rows=16), list[int]()
    monkeypatch.setattr(Graphed, "move", lambda self, source, target, width: moved.append(len(target)))
    list(generate(engine, [request(3, f"{2 + 2 * n}+0", sample=n) for n in range(16)]))
    assert len(moved) <= 4


def test_there_are_few_sizes() -> None:
    assert sorted({rows_in_bucket(n, 48) for n in range(1, 49)}) == [1, 2, 4, 8, 16, 32, 48]
    assert sorted({columns_in_bucket(n) for n in range(1, 1025)}) == [128, 192, 256, 384, 512, 768, 1024]
    for num in range(1, 3000):
        assert num <= columns_in_bucket(num) <= max(128, 1.5 * num)


def test_no_more_graphs_are_kept_than_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "NUM_GRAPHS", 2)
    model = tiny()
    store = Graphed(model, 8, frozenset({"full"}), 0, lambda device: Tape.record)
    with torch.inference_mode():
        store.reserve(8, 64)
        for num in (1, 2, 4, 8, 8, 4, 2, 1):
            for _ in range(2):
                store.decode(torch.full((num,), 5), torch.zeros(num, dtype=torch.int64), np.zeros(num, np.int64))
                assert len(store._replays) <= 2


def test_other_weights_are_noticed() -> None:
    """A graph would go on reading the old ones."""
    model = build("llama")
    engine = graphed_engine(model)
    reader = generate(engine, [request(3, f"{9 + 9 * n}+2", min_thinking=9 + 9 * n, sample=n) for n in range(2)])
    next(reader)
    for parameter in model.parameters():
        parameter.data = torch.zeros_like(parameter)
    [trace] = reader
    assert trace.logprobs[-4] == pytest.approx(-np.log(24), abs=1e-3)


@pytest.mark.parametrize(
    "waiting",
    [
        lambda tensor: tensor.sum().item(),
        lambda tensor: tensor.nonzero(),
        lambda tensor: tensor[tensor > 0],
        lambda tensor: bool((tensor > 0).any()),
        lambda tensor: tensor.masked_select(tensor > 0),
        lambda tensor: tensor.to("meta"),
    ],
)
def test_what_waits_for_a_device_is_refused(waiting: Any) -> None:
    for mode in (True, False):
        with torch.inference_mode(mode), Unwaiting(), pytest.raises(RuntimeError, match="waits for the device"):
            waiting(torch.ones(3))


def test_what_only_counts_is_allowed() -> None:
    tensor = torch.ones(3, 3)
    with torch.inference_mode(), Unwaiting():
        tensor[torch.tensor([0, 1]), torch.tensor([1, 2])] = tensor[torch.tensor([2, 2])].sum(-1).double().float()
    assert tensor[0, 1] == 3


def test_a_model_that_waits_is_run_step_by_step_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(self_check, "Graphed", partial(Graphed, recorder=lambda device: Tape.record))
    plain = choose_store(build("llama"), 5, graphs=True)()
    assert isinstance(plain, Graphed)
    model = build("llama")
    model.model.norm.register_forward_hook(lambda module, inputs, output: output * bool(output.isfinite().all()))
    with caplog.at_level(logging.WARNING):
        assert isinstance(choose_store(model, 5, graphs=True)(), Slots)
    assert "LlamaForCausalLM runs more slowly than it might (recorded steps" in caplog.text
    assert "waits for the device" in caplog.text
