"""The layers of a model as one compiled function that all of them share: their small kernels become few.

    fusing = Fusing(model, after=0)
    with fusing.layers(slots) as cache:
        model(..., past_key_values=cache)  # of one new token a row, or of whole prompts

A layer of a transformer is some ten products of matrices and three times as many small kernels around them, which on a
GPU take as long. `torch.compile` fuses those. What differs from layer to layer, and from step to step, is kept out of
what it sees: the keys and values, which operators of our own find by themselves, and their width. So it compiles once
for two rows and more, and once for a single one, whatever the number of layers; and likewise for prompts.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import fx
from transformers.cache_utils import Cache, CacheLayerMixin

from elastic_reasoning.engines.local.attention import in_layer, keep
from elastic_reasoning.engines.local.products import beside_each_other
from elastic_reasoning.engines.local.rounding import distance, roundings

logger = logging.getLogger(__name__)

MOST_COMPILED = 64
"""Of models of one class in this process: for steps and prompts, of several rows and of one, of each kind of layer."""
MOST_COMPARED = 32
"""Rows of logits, of which a comparison takes several times the memory."""
STEPS, PROMPTS = "steps", "prompts"
NUM_TIMES = 3
"""Fused layers round less often: so many times the rounding of a layer they may differ by."""


def compile_beside(graph: fx.GraphModule, inputs: list[Any]) -> Any:
    """PyTorch's own compiler, once small products run beside larger ones."""
    from torch._inductor.compile_fx import compile_fx

    beside_each_other(graph)
    return compile_fx(graph, inputs)


class Fusing:
    """Whether and how the layers of a model are fused; one for all batches of an engine.

    Attributes:
        is_on: whether it is time to.
        refused: of `STEPS` and `PROMPTS` those that cannot be fused.

    What has been found out is found out for the layers as they are then: once the model is another one (`identity`),
    `anew` forgets it.

    Args:
        model: a causal language model.
        after: steps before that; compiling takes as long as some thousands of them.
        backend: of `torch.compile`, which is given graphs.
    """

    def __init__(self, model: Any, after: int, backend: Callable[..., Any] = compile_beside) -> None:
        self._model = model
        self._backend = backend
        self._left = after
        self._own_kernels = True
        self._agreed: set[tuple[str, Any]] = set()
        self.refused: set[str] = set()
        self.is_on = after == 0 and bool(_decoder_layers(model))

    def count(self) -> bool:
        """Note one more step, and say whether the next one may be fused for the first time."""
        self._left -= 1
        if self._left != 0:
            return False
        self.is_on = bool(_decoder_layers(self._model))
        return self.is_on

    def anew(self) -> "Fusing":
        """The same for what the model has become; the steps before it have been counted."""
        return Fusing(self._model, max(self._left, 0), self._backend)

    def agrees(
        self, kind: str, size: Any, plain: Callable[[], torch.Tensor], fused: Callable[[], torch.Tensor]
    ) -> bool:
        """Whether what is fused gives what it gives as it is; where it does not none of its kind will be fused.

        Args:
            kind: `STEPS` or `PROMPTS`.
            size: of it; each is tried once.
            plain: gives `[rows, features]`, which may be written over by the next one.
            fused: the same within `layers`.
        """
        if not self.is_on or kind in self.refused:
            return False
        if any("forward" in vars(layer) for layer in _decoder_layers(self._model)):
            return False  # somebody else has replaced what a layer does
        if (kind, size) in self._agreed:
            return True
        reason, name = self._mismatch(plain, fused), type(self._model).__name__
        if reason and self._own_kernels:
            self._own_kernels = False
            again = self._mismatch(plain, fused)
            self._own_kernels = again is not None  # then it is not they
            if again is None:
                logger.warning("%s of %s are fused without kernels of our own: %s", kind, name, reason)
            reason = again
        if reason:
            logger.warning("%s of %s are not fused: %s", kind, name, reason)
            self.refused.add(kind)
        else:
            self._agreed.add((kind, size))
        return not reason

    def _mismatch(self, plain: Callable[[], torch.Tensor], fused: Callable[[], torch.Tensor]) -> str | None:
        expected = plain()[:MOST_COMPARED].clone()
        try:
            error = distance(expected, fused()[:MOST_COMPARED])
            most = NUM_TIMES * roundings(self._model, expected)
        except Exception as failure:  # whatever a compiler says of whatever model; memory may do for it as it is
            return f"{type(failure).__name__}: {(str(failure).splitlines() or ['no message'])[0]}"
        return None if error <= most else f"log-probabilities differ by {error:.2g}, {most:.2g} is allowed"

    @contextmanager
    def layers(self, slots: Sequence[CacheLayerMixin]) -> Iterator[Cache]:
        """Let the model go through fused layers, which write into and read from these slots, one of each layer.

        Yields:
            The cache that the model is to be given.
        """
        from torch._dynamo import config as dynamo  # a second, which only those pay who compile
        from torch.fx.experimental import _config as shapes

        layers = _decoder_layers(self._model)
        try:
            for layer, own in zip(layers, slots, strict=True):
                layer.forward = self._of_layer(layer, own)
            # Numbers that happen to be the same are not the same number: rows are not the size of a head.
            with dynamo.patch(recompile_limit=MOST_COMPILED), shapes.patch(use_duck_shape=False):  # type: ignore[attr-defined]
                yield _Unwritten(slots)
        finally:
            for layer in layers:
                vars(layer).pop("forward", None)  # an interrupt may have come before the last of them

    def _of_layer(self, layer: Any, slots: CacheLayerMixin) -> Callable[..., Any]:
        plain = type(layer).forward
        compiled, thread, own_kernels = _compiled(plain, self._backend), threading.get_ident(), self._own_kernels

        def forward(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread:  # somebody else calls the model meanwhile
                return plain(layer, *args, **kwargs)
            with in_layer(slots, own_kernels):
                return compiled(layer, *args, **kwargs)

        return forward


class _Unwritten(Cache):
    """Keeps what prompts give, and lets a single token pass: attention will write that."""

    def __init__(self, slots: Sequence[CacheLayerMixin]) -> None:
        super().__init__(layers=list(slots))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return keep(key_states, value_states) if key_states.shape[2] > 1 else (key_states, value_states)


def _decoder_layers(model: Any) -> list[Any]:
    """The layers in their order; none where they cannot be found."""
    num_layers = model.config.get_text_config().num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == num_layers:
            return list(module)
    return []


@cache
def _compiled(forward: Callable[..., Any], backend: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(forward, dynamic=True, fullgraph=True, backend=backend)
    return compiled
