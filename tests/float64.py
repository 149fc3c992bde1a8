"""Float64 from end to end.

A model in float64 is not enough: its norms and rotary embeddings compute in float32 whatever they are given, and so
does TRL when it makes log-probabilities of hidden states.

with everything_in_float64(): train(replace(config, dtype="float64"))
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm, Qwen3RotaryEmbedding


@contextmanager
def everything_in_float64() -> Iterator[None]:
    """For models of the miniature's family; parameters are the caller's to have in float64."""
    import trl.trainer.utils

    with (
        patch.object(Qwen3RMSNorm, "forward", _norm),
        patch.object(Qwen3RotaryEmbedding, "forward", _rotary),
        patch.object(trl.trainer.utils, "_ChunkedLogProbFunction", _LogProbs),
    ):
        yield


def _norm(self: Any, hidden: Tensor) -> Tensor:
    scaled = hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self.variance_epsilon)
    return self.weight * scaled  # type: ignore[no-any-return]


def _rotary(self: Any, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
    angles = position_ids[..., None].double() * self.inv_freq.double()
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


class _LogProbs:
    """Of the targets under `hidden @ weight.T`, and the entropy, which is only logged."""

    @staticmethod
    def apply(hidden: Tensor, weight: Tensor, bias: None, targets: Tensor, temperature: float, *rest: Any) -> Any:
        logprobs = (hidden @ weight.T / temperature).log_softmax(-1)
        entropy = -(logprobs.exp() * logprobs).sum(-1).detach()
        return logprobs.gather(-1, targets[:, None])[:, 0], entropy, None, None, None
