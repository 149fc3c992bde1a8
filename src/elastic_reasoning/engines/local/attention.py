"""Attention of one new token a row, without repeating keys and values for the heads that share them.

Behind a mask, transformers' own attention copies every key and value once for each query head of its group, at every
step. With a single query a row, the heads of a group can stand in the place of the queries instead.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward


def grouped_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers calls it, for a single query a row.

    Args:
        module: unused, as are the settings.
        query: `[rows, heads, 1, size]`.
        key, value: `[rows, key heads, columns, size]`; the heads are a multiple of the key heads.
        attention_mask: added to the scores `[rows, 1, 1, columns]`, or `None`.
        scaling: of the scores; the inverse root of the size if not given.

    Returns:
        `[rows, 1, heads, size]`, and no weights.
    """
    rows, heads, _, size = query.shape
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], size)
    output = torch.nn.functional.scaled_dot_product_attention(
        grouped, key, value, attn_mask=attention_mask, scale=scaling
    )
    return output.reshape(rows, 1, heads, value.shape[-1]), None


_here = threading.local()
"""Of each thread: the model of an engine that computes may meanwhile be called from another one."""


def _attention(module: Any, query: torch.Tensor, *states: Any, **settings: Any) -> tuple[torch.Tensor, None]:
    if getattr(_here, "grouping", False) and query.shape[2] == 1:
        return grouped_attention(module, query, *states, **settings)
    output: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, *states, **settings)
    return output


AttentionInterface.register("sdpa", _attention)


@contextmanager
def grouping() -> Iterator[None]:
    """Let models that attend by `sdpa` attend by `grouped_attention` in this thread."""
    _here.grouping = True
    try:
        yield
    finally:
        _here.grouping = False
