"""Attention of one new token a row, without repeating keys and values for the heads that share them.

Behind a mask, transformers' own attention copies every key and value once for each query head of its group, at every
step. With a single query a row, the heads of a group can stand in the place of the queries instead.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward


def unplanned(device: torch.device) -> AbstractContextManager[None]:
    """Keep PyTorch's attention from cuDNN, which on CUDA comes first and plans anew for every size."""
    if device.type != "cuda":
        return nullcontext()
    return sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


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
    with unplanned(query.device):
        output = torch.nn.functional.scaled_dot_product_attention(
            grouped, key, value, attn_mask=attention_mask, scale=scaling
        )
    return output.reshape(rows, 1, heads, value.shape[-1]), None


_here = threading.local()
"""Of each thread: the model of an engine that computes may meanwhile be called from another one."""


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


@contextmanager
def in_layer(slots: Any, own_kernels: bool) -> Iterator[None]:
    """Say which keys and values `attend` writes and reads in this thread, a layer of `KeysValues`, and by what."""
    _here.slots, _here.own_kernels = slots, own_kernels
    try:
        yield
    finally:
        _here.slots = None  # the thread may outlive them


@torch.library.custom_op("elastic_reasoning::keep", mutates_args=())
def keep(key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Write the keys and values of prompts into the slots of a layer, and give copies of them.

    To a compiler it is a black box, as `attend` is, of which nothing but what it gives is seen.

    Args:
        key, value: `[rows, key heads, width, size]`.
    """
    _here.slots.update(key, value)
    return key.clone(), value.clone()


@keep.register_fake
def _(key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(key), torch.empty_like(value)


@torch.library.custom_op("elastic_reasoning::attend", mutates_args=())
def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """Write one new token a row into the slots of a layer, and attend to what is there.

    To a compiler it is a black box. That it writes is not said: nothing else of a layer reads the slots.

    Args:
        query: `[rows, heads, 1, size]`.
        key, value: `[rows, key heads, 1, size]`.
        mask: added to the scores `[rows, 1, 1, columns]`.
        scaling: of the scores; the inverse root of the size if not given.

    Returns:
        `[rows, 1, heads, size]`.
    """
    slots, size = _here.slots, query.shape[-1]
    has_kernel = _here.own_kernels and slots.is_initialized and value.shape[-1] == size
    if query.is_cuda and has_kernel and _has_triton():
        from elastic_reasoning.engines.local.slot_kernel import attend_slots

        scaling = size**-0.5 if scaling is None else scaling
        return attend_slots(query, key, value, slots.keys, slots.values, mask, slots.place.positions, scaling)
    keys, values = slots.update(key, value)
    return grouped_attention(None, query, keys, values, mask, scaling)[0]


@attend.register_fake
def _(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: Any) -> torch.Tensor:
    return query.new_empty(query.shape[0], 1, query.shape[1], value.shape[-1])


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    if attention_mask is not None and attention_mask.shape[-1] > key.shape[2]:  # others are in the slots
        return attend(query, key, value, attention_mask, settings.get("scaling")), None
    if query.shape[2] == 1 and getattr(_here, "grouping", False):
        return grouped_attention(module, query, key, value, attention_mask, **settings)
    output: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
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
