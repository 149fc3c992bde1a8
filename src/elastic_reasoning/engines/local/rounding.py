"""How far apart the same logits may be that have been computed in two ways."""

import math
from typing import Any

import torch

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
MOST = 0.3
"""What rounding in bfloat16 and float16 is excused at the most."""


def distance(plain: torch.Tensor, other: torch.Tensor) -> float:
    """How far two tensors of logits `[steps, vocabulary]` are apart as log-probabilities.

    In low precision, where single ones differ by rounding, and all of a step where it sends a token to another
    expert, it is the mean of the median step; elsewhere the largest difference.
    """
    error = (plain.double().log_softmax(-1) - other.double().log_softmax(-1)).abs()
    return float(error.max() if plain.dtype in TOLERANCE else error.mean(-1).median())


def roundings(model: Any, logits: torch.Tensor) -> float:
    """How far they may be: in low precision what one rounding a layer makes of a logit."""
    if logits.dtype in TOLERANCE:
        return TOLERANCE[logits.dtype]
    unit = torch.finfo(logits.dtype).eps * float(logits.float().abs().mean())
    num_layers: int = model.config.get_text_config().num_hidden_layers
    return min(unit * math.sqrt(num_layers), MOST)
