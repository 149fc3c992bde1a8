"""Products of one input with several weights, small ones beside large ones: a small product leaves most of a GPU idle.

The keys and values of a layer are such small products of what its queries are a large one of.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from operator import getitem
from typing import Any

import torch
from torch import fx

telling = threading.RLock()
"""Held by whoever records, and by whoever tells side streams something: it might get into what another one records."""
SMALL = 2**21
"""Weights with which a product is small: 4 MB in bfloat16, which a GPU reads in the time that it takes to begin."""


def beside_each_other(graph: fx.GraphModule) -> None:
    """Let small linear layers of a traced graph run beside a larger one of the same input."""
    of_input: dict[Any, list[fx.Node]] = defaultdict(list)
    for node in graph.graph.find_nodes(op="call_function", target=torch._C._nn.linear):
        if _is_plain(node):
            of_input[node.args[0]].append(node)
    for given, layers in of_input.items():
        layers.sort(key=lambda node: -_num_weights(node))
        group = layers[:1] + [layer for layer in layers[1:] if _num_weights(layer) <= SMALL]
        if len(group) > 1:
            _join(graph.graph, given, group)
    graph.recompile()


def _is_plain(layer: fx.Node) -> bool:
    """Whether it is called as modules call it, with weights that are there before all else is computed."""
    there = [
        weight is None or (isinstance(weight, fx.Node) and weight.op == "placeholder") for weight in layer.args[1:]
    ]
    return not layer.kwargs and all(there)


def _num_weights(layer: fx.Node) -> int:
    weight = layer.args[1]
    assert isinstance(weight, fx.Node)
    return int(weight.meta["example_value"].numel())


def _join(graph: fx.Graph, given: fx.Node, group: list[fx.Node]) -> None:
    weights = [layer.args[1] for layer in group]
    biases = [layer.args[2] if len(layer.args) > 2 else None for layer in group]
    with graph.inserting_before(min(group)):
        together = graph.call_function(torch.ops.elastic_reasoning.products.default, (given, weights, biases))
        parts = [graph.call_function(getitem, (together, n)) for n in range(len(group))]
    for layer, part in zip(group, parts, strict=True):
        layer.replace_all_uses_with(part)
        graph.erase_node(layer)


@torch.library.custom_op("elastic_reasoning::products", mutates_args=())
def products(
    given: torch.Tensor, weights: Sequence[torch.Tensor], biases: Sequence[torch.Tensor | None]
) -> list[torch.Tensor]:
    """Linear layers of one input, the first of them the largest.

    Args:
        given: `[..., num_inputs]`.
        weights: `[num_outputs, num_inputs]` each.
        biases: `[num_outputs]` each, or `None`.

    Returns:
        `[..., num_outputs]` each.
    """
    if not given.is_cuda:
        return [torch.nn.functional.linear(given, *layer) for layer in zip(weights, biases, strict=True)]
    # Memory is taken on the stream of who calls, which waits for the others before it goes on.
    main = torch.cuda.current_stream(given.device)
    sides = [_side_stream(given.device, nth) for nth in range(len(weights) - 1)]
    outputs = [given.new_empty(*given.shape[:-1], len(weight)) for weight in weights]
    flat = given.reshape(-1, given.shape[-1])
    layers = list(zip([main, *sides], weights, biases, outputs, strict=True))
    with telling:
        for side in sides:
            side.wait_stream(main)
        for stream, weight, bias, output in reversed(layers):  # the small ones first
            with torch.cuda.stream(stream):
                _linear(flat, weight, bias, output.view(-1, len(weight)))
        for side in sides:
            main.wait_stream(side)
    return outputs


def _linear(given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, output: torch.Tensor) -> None:
    if bias is None:
        torch.mm(given, weight.t(), out=output)
    else:
        torch.addmm(bias, given, weight.t(), out=output)


@cache
def _side_stream(device: torch.device, nth: int) -> torch.cuda.Stream:
    """The same ones always: matrix products keep memory for every stream on which they have been."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


@products.register_fake
def _(given: torch.Tensor, weights: Any, biases: Any) -> list[torch.Tensor]:
    return [given.new_empty(*given.shape[:-1], len(weight)) for weight in weights]
