"""A draw from all that may be drawn as two kernels: `draws.draw` without bans and filters, in one reading of logits.

The first sums the weights of each block of ids; the second chooses a block, reads it again and chooses within. Imported
only where there is Triton.
"""

import torch
import triton
from triton import language as tl

from elastic_reasoning.engines.local import draws
from elastic_reasoning.engines.local.draws import BLOCK

PARTS = tl.constexpr(draws.PARTS)  # a kernel reads no other globals


def draw_plain(
    logits: torch.Tensor, uniform: torch.Tensor, scale: torch.Tensor | None, num_tokens: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token a row.

    Args:
        logits: `[rows, vocabulary]`.
        uniform: `[rows, 1]` float32.
        scale: 1 / temperature `[rows, 1]`; `None` where all are 1.
        num_tokens: ids that may be drawn; those behind them count in log-probabilities alone.

    Returns:
        Ids `[rows]`, and their log-probabilities `[rows]`.
    """
    logits = logits if logits.stride(1) == 1 else logits.contiguous()
    rows, vocabulary = logits.shape
    num_blocks = triton.cdiv(vocabulary, BLOCK)
    sums = torch.empty(3, rows, num_blocks, device=logits.device)
    ids = torch.empty(rows, dtype=torch.int64, device=logits.device)
    logprobs = torch.empty(rows, device=logits.device)
    if scale is None:
        scale = torch.ones(rows, 1, device=logits.device)
    sizes = (logits.stride(0), num_tokens, vocabulary, num_blocks)
    padded = triton.next_power_of_2(num_blocks)
    with torch.cuda.device_of(logits):  # type: ignore[no-untyped-call]  # a kernel is launched on the device at which its thread is
        _sum[(rows, num_blocks)](logits, scale, sums, *sizes, block=BLOCK)
        _choose[(rows,)](logits, scale, uniform.contiguous(), sums, ids, logprobs, *sizes, padded=padded, block=BLOCK)
    return ids, logprobs


@triton.jit(do_not_specialize=["num_tokens", "num_blocks"])  # type: ignore[untyped-decorator]
def _sum(  # type: ignore[no-untyped-def]
    logits, scale, sums, stride, num_tokens, vocabulary, num_blocks, block: tl.constexpr
):
    """Of a block: `sums[0]` its largest logit, `[1]` all its weights beside that, `[2]` those that may be drawn."""
    row, nth = tl.program_id(0), tl.program_id(1)
    ids = nth * block + tl.arange(0, block)
    largest, weights, _ = _block(logits + row.to(tl.int64) * stride, tl.load(scale + row), ids, vocabulary)
    at = sums + row * num_blocks + nth
    of_rows = tl.num_programs(0) * num_blocks
    tl.store(at, largest)
    tl.store(at + of_rows, tl.sum(weights, 0))
    tl.store(at + 2 * of_rows, tl.sum(tl.where(ids < num_tokens, weights, 0.0), 0))


@triton.jit(do_not_specialize=["num_tokens", "num_blocks"])  # type: ignore[untyped-decorator]
def _choose(  # type: ignore[no-untyped-def]
    logits,
    scale,
    uniform,
    sums,
    ids,
    logprobs,
    stride,
    num_tokens,
    vocabulary,
    num_blocks,
    padded: tl.constexpr,
    block: tl.constexpr,
):
    """Of one row: choose a block by its weights, and in it an id."""
    row = tl.program_id(0)
    nth, of_rows = tl.arange(0, padded), tl.num_programs(0) * num_blocks
    at, there = sums + row * num_blocks + nth, nth < num_blocks
    largest = tl.load(at, mask=there, other=float("-inf"))
    most = tl.max(largest, 0)
    beside = tl.exp(largest - most)
    total = most + tl.log(tl.sum(tl.load(at + of_rows, mask=there, other=0.0) * beside, 0))
    weights = tl.load(at + 2 * of_rows, mask=there, other=0.0) * beside
    chosen, share = _found(weights, tl.load(uniform + row).to(tl.float64), padded)
    inside = chosen * block + tl.arange(0, block)
    _, weights, values = _block(logits + row.to(tl.int64) * stride, tl.load(scale + row), inside, vocabulary)
    weights = tl.where(inside < num_tokens, weights, 0.0)
    index, _ = _found(weights / tl.max(weights, 0), share, block)
    drawn = tl.minimum(chosen * block + index, num_tokens - 1)
    tl.store(ids + row, drawn.to(tl.int64))
    tl.store(logprobs + row, tl.sum(tl.where(inside == drawn, values, 0.0), 0) - total)


@triton.jit
def _block(logits, scale, ids, vocabulary):  # type: ignore[no-untyped-def]
    """The largest of some logits, the weights of all beside it, and the logits themselves."""
    values = tl.load(logits + ids, mask=ids < vocabulary, other=float("-inf")).to(tl.float32) * scale
    largest = tl.maximum(tl.max(values, 0), -3.0e38)
    return largest, tl.exp(values - largest), values


@triton.jit  # type: ignore[untyped-decorator]
def _found(weights, share, num: tl.constexpr):  # type: ignore[no-untyped-def]
    """The index at a share of the total, always one with weight, and at what share of its own weight that is."""
    nth = tl.arange(0, num)
    parts = (weights.to(tl.float64) / tl.max(weights, 0).to(tl.float64) * PARTS + 0.5).to(tl.int64)
    reached = tl.cumsum(parts, 0)
    target = share * tl.sum(parts, 0).to(tl.float64)
    index = tl.minimum(tl.sum((reached.to(tl.float64) <= target).to(tl.int32), 0), num - 1)
    own = tl.sum(tl.where(nth == index, parts, 0), 0).to(tl.float64)
    before = tl.sum(tl.where(nth < index, parts, 0), 0).to(tl.float64)
    return index, tl.minimum((target - before) / own, 1 - 1.0 / 16777216)
