"""Attention of one new token a row over its slot, which it is written into on the way: one kernel in place of three.

It reads of each slot the columns that are in use, whatever the others have. Imported only where there is Triton.
"""

import torch
import triton
from triton import language as tl

MOST_TOGETHER, BYTES = 64, 2**14
"""Columns whose keys are read together, and so many bytes of them: three times as much of both has to fit."""
MIN_DOT = 16
"""Rows and columns that a product of matrices has at the least, some of them padding."""


def attend_slots(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor,
    positions: torch.Tensor,
    scaling: float,
) -> torch.Tensor:
    """Write one new token a row into slots 0..., and attend to the columns up to it.

    Args:
        query: `[rows, heads, 1, size]`.
        key, value: `[rows, key heads, 1, size]`.
        keys, values: of all slots, contiguous `[slots, key heads, columns, size]`.
        mask: added to the scores `[rows, 1, 1, width]`, with more columns than any position.
        positions: each row's column `[rows]`.
        scaling: of the scores.

    Returns:
        `[rows, 1, heads, size]`.
    """
    rows, heads, _, size = query.shape
    key_heads, columns = keys.shape[1:3]
    padded = max(MIN_DOT, triton.next_power_of_2(size))
    output = query.new_empty(rows, 1, heads, size)
    with torch.cuda.device_of(query):  # type: ignore[no-untyped-call]  # a kernel is launched on the device at which its thread is
        _attend[(rows, key_heads)](
            query.contiguous(),
            key.contiguous(),
            value.contiguous(),
            keys,
            values,
            mask.contiguous(),
            positions,
            output,
            columns,
            mask.shape[-1],
            scaling,
            key_heads=key_heads,
            group_size=heads // key_heads,
            size=size,
            padded_group=max(MIN_DOT, triton.next_power_of_2(heads // key_heads)),
            padded_size=padded,
            num_together=max(MIN_DOT, min(MOST_TOGETHER, BYTES // (padded * keys.element_size()))),
            num_warps=4,
            num_stages=3,
        )
    return output


@triton.jit(do_not_specialize=["columns", "width"])  # type: ignore[untyped-decorator]
def _attend(  # type: ignore[no-untyped-def]
    query,
    key,
    value,
    keys,
    values,
    mask,
    positions,
    output,
    columns,
    width,
    scaling,
    key_heads: tl.constexpr,
    group_size: tl.constexpr,
    size: tl.constexpr,
    padded_group: tl.constexpr,
    padded_size: tl.constexpr,
    num_together: tl.constexpr,
):
    """One row and one head of keys; `output[heads of its group] = softmax(query keys^T * scaling + mask) values`."""
    row = tl.program_id(0).to(tl.int64)
    head = row * key_heads + tl.program_id(1)
    slot = head * columns
    position = tl.load(positions + row).to(tl.int32)
    group, dims, block = tl.arange(0, padded_group), tl.arange(0, padded_size), tl.arange(0, num_together)
    of_query = (head * group_size + group[:, None]) * size + dims[None, :]
    in_query, in_size = (group[:, None] < group_size) & (dims[None, :] < size), dims < size
    q = tl.load(query + of_query, mask=in_query, other=0.0)
    new_key = tl.load(key + head * size + dims, mask=in_size, other=0.0)
    new_value = tl.load(value + head * size + dims, mask=in_size, other=0.0)
    tl.store(keys + (slot + position) * size + dims, new_key, mask=in_size)
    tl.store(values + (slot + position) * size + dims, new_value, mask=in_size)
    # The softmax begins with the new token, which is never read back, and always sees itself.
    own = tl.load(mask + row * width + position).to(tl.float32)
    largest = tl.sum(q.to(tl.float32) * new_key.to(tl.float32)[None, :], 1) * scaling + own
    total = tl.full([padded_group], 1.0, tl.float32)
    mean = tl.zeros([padded_group, padded_size], tl.float32) + new_value.to(tl.float32)[None, :]
    for first in range(0, position, num_together):
        column = first + block
        there = column < position
        of_slot = (slot + column[:, None]) * size + dims[None, :]
        in_slot = there[:, None] & (dims[None, :] < size)
        k = tl.load(keys + of_slot, mask=in_slot, other=0.0)
        v = tl.load(values + of_slot, mask=in_slot, other=0.0)
        added = tl.load(mask + row * width + column, mask=there, other=0.0).to(tl.float32)
        added = tl.where(there, added, float("-inf"))
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scaling + added[None, :]
        above = tl.maximum(largest, tl.max(scores, 1))
        weights, faded = tl.exp(scores - above[:, None]), tl.exp(largest - above)
        total = total * faded + tl.sum(weights, 1)
        mean = mean * faded[:, None] + tl.dot(weights.to(v.dtype), v, input_precision="ieee")
        largest = above
    tl.store(output + of_query, (mean / total[:, None]).to(q.dtype), mask=in_query)
