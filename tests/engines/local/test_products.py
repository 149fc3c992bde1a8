"""Small products beside large ones of the same input: they give what each gives by itself."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from elastic_reasoning.engines.local import products
from elastic_reasoning.engines.local.graphs import CudaRecorder
from elastic_reasoning.engines.local.products import beside_each_other
from kernel_marks import NEEDS_GPU

torch.manual_seed(0)
LARGE, SMALL, OTHER = (torch.nn.Linear(8, num, bias=num != 24) for num in (64, 24, 16))


def layer(given: torch.Tensor) -> torch.Tensor:
    """Two of one input, and one of another."""
    small, large = SMALL(given), LARGE(given)
    return torch.cat([small, large, OTHER(given * 2)], -1)


def traced(run: Callable[..., Any], *given: torch.Tensor) -> tuple[torch.Tensor, list[str]]:
    """What it gives once it is rewritten, and what it calls."""
    called: list[str] = []

    def rewrite(graph: Any, inputs: Any) -> Callable[..., Any]:
        beside_each_other(graph)
        called.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        forward: Callable[..., Any] = graph.forward
        return forward

    torch._dynamo.reset()
    with torch.inference_mode():
        found = torch.compile(run, backend=rewrite)(*given)
    torch._dynamo.reset()
    return found, called


@pytest.mark.parametrize(("small", "num_joined"), [(8 * 24, 1), (8 * 23, 0)])
def test_small_ones_run_beside_a_larger_one_of_the_same_input(
    small: int, num_joined: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "SMALL", small)
    given = torch.randn(3, 1, 8)
    found, called = traced(layer, given)
    assert torch.equal(found, layer(given))
    assert sum("products" in target for target in called) == num_joined
    assert sum("linear" in target for target in called) == 3 - 2 * num_joined


def test_what_is_joined_may_be_used_before_the_last_of_it() -> None:
    def run(given: torch.Tensor) -> torch.Tensor:
        first = SMALL(given).sum(-1, keepdim=True)
        return LARGE(given) + first

    given = torch.randn(3, 8)
    found, called = traced(run, given)
    assert torch.equal(found, run(given))
    assert sum("products" in target for target in called) == 1


def test_layers_that_are_called_in_other_ways_are_left_alone() -> None:
    """By names, or with a weight that is made on the way, which the first of them may come before."""
    given, linear = torch.randn(3, 8), torch.nn.functional.linear
    weights, bias = [LARGE.weight, SMALL.weight], LARGE.bias

    def by_name(given: torch.Tensor) -> torch.Tensor:
        named = linear(input=given, weight=weights[0], bias=bias)
        return torch.cat([linear(given, weights[0], bias=bias), linear(given, weights[1]), named], -1)

    def made(given: torch.Tensor) -> torch.Tensor:
        first = linear(given, weights[0])
        return torch.cat([first, linear(given, weights[1] * first.mean())], -1)

    for run in (by_name, made):
        found, called = traced(run, given)
        assert torch.equal(found, run(given))
        assert sum("products" in target for target in called) == 0


@pytest.mark.gpu
@NEEDS_GPU
def test_a_graph_replays_them() -> None:
    """As they are recorded: on streams that part and meet again."""
    weights = [torch.randn(num, 256, device="cuda", dtype=torch.bfloat16) for num in (1536, 256, 256)]
    biases = [torch.randn(1536, device="cuda", dtype=torch.bfloat16), None, None]
    given = torch.zeros(64, 1, 256, device="cuda", dtype=torch.bfloat16)
    with torch.inference_mode():
        products.products(given, weights, biases)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = products.products(given, weights, biases)
        for _ in range(3):
            given.copy_(torch.randn_like(given))
            graph.replay()
            for output, *layer in zip(found, weights, biases, strict=True):
                expected = torch.nn.functional.linear(given, *layer)
                assert torch.allclose(output, expected, atol=0.1, rtol=0.05)


@pytest.mark.gpu
@NEEDS_GPU
def test_what_another_thread_computes_does_not_get_into_a_graph() -> None:
    weights = [torch.randn(num, 64, device="cuda") for num in (256, 32)]
    given, other, found = torch.randn(4, 64, device="cuda"), torch.ones(4, 64, device="cuda"), list[list[Any]]()
    begun = threading.Event()

    def compute() -> None:
        begun.set()
        with torch.inference_mode():
            found.append(products.products(other, weights, [None, None]))

    def step() -> None:
        found.append(products.products(given, weights, [None, None]))
        thread.start()
        begun.wait()
        found.append(products.products(given, weights, [None, None]))

    thread = threading.Thread(target=compute)
    with torch.inference_mode():
        products.products(given, weights, [None, None])
        replay = CudaRecorder(torch.device("cuda", 0))(step)
        thread.join()
        replay()
        for outputs, of in zip(found, (given, given, other), strict=True):
            for output, weight in zip(outputs, weights, strict=True):
                assert torch.allclose(output, torch.nn.functional.linear(of, weight), atol=1e-2)
