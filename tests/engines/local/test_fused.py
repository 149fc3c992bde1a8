"""Layers that are compiled: once for all of them, whatever the width, with the logits of those that are not."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from checker import check
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.local import attention, fused
from elastic_reasoning.engines.local.fused import PROMPTS, STEPS, Fusing
from elastic_reasoning.engines.local.graphs import Graphed
from elastic_reasoning.engines.local.self_check import attention_kinds
from tape import told
from tiny import CONTEXT, PLAIN_FAMILIES, build, mixed_requests, new_engine, tiny

QUICK = ("gemma3", "gpt2", "qwen2")
OWN_ATTENTION = "gpt_oss"
ALL = [
    pytest.param(family, marks=() if family in QUICK else pytest.mark.full)
    for family in PLAIN_FAMILIES
    if family != OWN_ATTENTION
]


class Noting:
    """A backend that leaves graphs as they are, since only what is traced matters here.

    Attributes:
        num_compiled: so many there have been.
    """

    def __init__(self) -> None:
        self.num_compiled = 0

    def __call__(self, graph: Any, inputs: Any) -> Callable[..., Any]:
        self.num_compiled += 1
        forward: Callable[..., Any] = graph.forward
        return forward


@pytest.fixture
def backend() -> Iterator[Noting]:
    torch._dynamo.reset()
    yield Noting()
    torch._dynamo.reset()


def run_fused(model: Any, fusing: Fusing, num: int = 13) -> list[Trace]:
    """Steps are replayed as they are, through the fused layers."""
    engine = new_engine(model, max_rows=5)
    window, (kinds, *_) = attention_kinds(model.config)
    engine._new_store = partial(Graphed, model, 5, kinds, window, lambda device: lambda step: step, fusing)
    return list(generate(engine, mixed_requests(num)))


def assert_same(model: Any, found: list[Trace]) -> None:
    expected = {t.request.name: t for t in generate(new_engine(model, max_rows=5), mixed_requests(len(found)))}
    for trace in found:
        assert told(trace) == told(expected[trace.request.name])
        assert trace.logprobs == pytest.approx(expected[trace.request.name].logprobs, abs=1e-5)
        assert check(trace, CONTEXT) == []
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("family", ALL)
def test_every_family_gives_what_it_gives_as_it_is(family: str, backend: Noting) -> None:
    """Compiled for several rows and for one, for steps and for prompts, of each kind of layer."""
    fusing = Fusing(tiny(family), 0, backend)
    assert_same(tiny(family), run_fused(tiny(family), fusing))
    assert fusing.is_on
    assert not fusing.refused
    assert 2 <= backend.num_compiled <= 2 * 2 * 2


def test_it_begins_after_so_many_steps(backend: Noting) -> None:
    fusing = Fusing(tiny(), 30, backend)
    run_fused(tiny(), fusing, 2)
    assert not fusing.is_on
    assert backend.num_compiled == 0
    assert_same(tiny(), run_fused(tiny(), fusing))
    assert fusing.is_on
    assert backend.num_compiled > 0


def test_layers_that_cannot_be_compiled_stay_as_they_are(backend: Noting, caplog: pytest.LogCaptureFixture) -> None:
    fusing = Fusing(tiny(OWN_ATTENTION), 0, backend)
    with caplog.at_level(logging.WARNING):
        assert_same(tiny(OWN_ATTENTION), run_fused(tiny(OWN_ATTENTION), fusing))
    assert STEPS in fusing.refused
    assert "steps of GptOssForCausalLM are not fused: TorchRuntimeError: " in caplog.text


def test_layers_that_give_something_else_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    def wrong(graph: Any, inputs: Any) -> Callable[..., Any]:
        return lambda *args: [output * 1.1 for output in graph.forward(*args)]

    fusing = Fusing(tiny(), 0, wrong)
    with caplog.at_level(logging.WARNING):
        assert_same(tiny(), run_fused(tiny(), fusing))
    assert fusing.refused == {STEPS, PROMPTS}
    for kind in fusing.refused:
        assert f"{kind} of LlamaForCausalLM are not fused: log-probabilities differ by" in caplog.text


def test_where_kernels_of_our_own_are_wrong_those_of_pytorch_are_taken(
    backend: Noting, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entered(slots: Any, own_kernels: bool) -> Any:
        if own_kernels:
            raise RuntimeError("out of resource: shared memory")
        return attention.in_layer(slots, own_kernels)

    monkeypatch.setattr(fused, "in_layer", entered)
    fusing = Fusing(tiny(), 0, backend)
    with caplog.at_level(logging.WARNING):
        assert_same(tiny(), run_fused(tiny(), fusing))
    assert not fusing.refused
    assert "of LlamaForCausalLM are fused without kernels of our own: RuntimeError: out of resource" in caplog.text


def test_somebody_else_calls_the_model_as_it_is(backend: Noting) -> None:
    model, found = tiny(), list[torch.Tensor]()
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        plain = model(input_ids=ids).logits

        def call() -> None:
            with torch.inference_mode():
                found.append(model(input_ids=ids).logits)

        slots: list[Any] = [None] * model.config.num_hidden_layers
        with Fusing(model, 0, backend).layers(slots):
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
    assert torch.equal(found[0], plain)
    assert backend.num_compiled == 0


def test_layers_that_somebody_replaces_later_stay_as_he_made_them(backend: Noting) -> None:
    model = build("llama")
    fusing, layer = Fusing(model, 0, backend), model.model.layers[1]
    plain = layer.forward

    def replaced(*args: Any, **kwargs: Any) -> Any:
        return plain(*args, **kwargs)

    layer.forward = replaced
    run_fused(model, fusing)
    assert layer.forward is replaced
    assert backend.num_compiled == 0
    del layer.forward
    assert_same(model, run_fused(model, fusing))
    assert backend.num_compiled > 0


def test_a_layer_that_takes_the_place_of_another_one_is_fused(backend: Noting) -> None:
    model = build("llama")
    fusing = Fusing(model, 0, backend)
    run_fused(model, fusing, 2)
    model.model.layers[1] = deepcopy(model.model.layers[0])
    model.model.layers[1].self_attn.layer_idx = 1
    assert_same(model, run_fused(model, fusing))
    assert not fusing.refused


def test_what_has_been_found_out_is_forgotten_of_a_model_that_has_become_another(backend: Noting) -> None:
    """In the middle of a batch, as new rows come; what could not be fused may be now."""
    model = build("llama")
    fusing, hidden = Fusing(model, 0, backend), torch.arange(2 * 9).reshape(2, 9)
    store = Graphed(model, 2, frozenset({"full"}), 0, lambda device: lambda step: step, fusing)
    store.reserve(2, CONTEXT)
    with torch.inference_mode():
        store.prefill(np.arange(2), hidden, np.full(2, 9))
        num_compiled = backend.num_compiled
        fusing.refused.add(PROMPTS)
        for layer in model.model.layers:
            layer.mlp.act_fn = torch.nn.ReLU()
        store.prefill(np.arange(2), hidden, np.full(2, 9))
    assert backend.num_compiled > num_compiled > 0
    assert store._fusing is not fusing
    assert store._fusing is not None
    assert store._fusing.is_on


def test_an_interrupt_leaves_the_layers_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = tiny(), Fusing._of_layer

    def interrupted(self: Fusing, layer: Any, slots: Any) -> Any:
        if layer is model.model.layers[1]:
            raise KeyboardInterrupt
        return given(self, layer, slots)

    monkeypatch.setattr(Fusing, "_of_layer", interrupted)
    with pytest.raises(KeyboardInterrupt), Fusing(model, 0).layers([None, None]):
        raise AssertionError("it has not been interrupted")
    assert not any("forward" in vars(module) for module in model.modules())


def test_keys_and_values_are_given_up_with_their_batch(backend: Noting) -> None:
    """The thread that has computed lives on."""
    made = list[weakref.ref[Any]]()

    def entered(slots: Any, own_kernels: bool) -> Any:
        made.append(weakref.ref(slots))
        return attention.in_layer(slots, own_kernels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused, "in_layer", entered)
        run_fused(tiny(), Fusing(tiny(), 0, backend), 2)
    gc.collect()
    assert made
    assert not any(slots() for slots in made)


def test_layers_that_take_more_memory_fused_than_there_is_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    def exhausted(graph: Any, inputs: Any) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

        return run

    fusing = Fusing(tiny(), 0, exhausted)
    with caplog.at_level(logging.WARNING):
        assert_same(tiny(), run_fused(tiny(), fusing))
    assert fusing.refused == {STEPS, PROMPTS}
    assert "steps of LlamaForCausalLM are not fused: OutOfMemoryError: CUDA out of memory" in caplog.text


def test_prompts_beyond_a_window_are_compared_where_it_shows(
    backend: Noting, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a short prompt, by what the last of many tokens see."""
    given = attention.sdpa_attention_forward

    def blind(module: Any, query: Any, key: Any, value: Any, mask: Any, **settings: Any) -> Any:
        return given(module, query, key, value, None if torch.compiler.is_compiling() else mask, **settings)

    monkeypatch.setattr(attention, "sdpa_attention_forward", blind)
    model = build("mistral", sliding_window=50)
    fusing = Fusing(model, 0, backend)
    store = Graphed(model, 2, frozenset({"sliding"}), 50, lambda device: lambda step: step, fusing)
    store.reserve(2, CONTEXT)
    ids, refused = torch.arange(2 * 90).reshape(2, 90) % 20, list[set[str]]()
    with torch.inference_mode(), caplog.at_level(logging.WARNING):
        for width in (5, 90):
            store.prefill(np.arange(2), ids[:, :width], np.full(2, width))
            refused.append(set(fusing.refused))
    assert refused == [set(), {PROMPTS}]
