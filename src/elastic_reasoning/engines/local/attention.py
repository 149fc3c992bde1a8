"""Attention of one new token a row, without repeating keys and values for the heads that share them.

Behind a mask, transformers' own attention copies every key and value once for each query head of its group, at every
step. With a single query a row, the heads of a group can stand in the place of the queries instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface

NAME = "elastic_grouped"


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


AttentionInterface.register(NAME, grouped_attention)


@contextmanager
def grouping(config: Any) -> Iterator[None]:
    """Let a model whose configuration this is attend by `grouped_attention`, if it would by `sdpa`."""
    own = config._attn_implementation
    if own == "sdpa":
        config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = own
