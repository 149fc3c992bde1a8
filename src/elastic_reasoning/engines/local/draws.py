"""How a token is drawn: one uniform number, keyed by the request, and the inverse of the cumulative distribution.

The number depends on (seed, sample, position in the completion) alone, so a draw depends neither on what else is in
the batch nor on how an engine splits its work.
"""

import logging
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.local.transfer import to_device

logger = logging.getLogger(__name__)

NUM_CANDIDATES = 128
"""Top-p looks at so many of the most likely tokens before it sorts the whole vocabulary."""
BLOCK = 1024
"""On a device a draw first chooses among the sums of so many weights; it does for two million of them."""
PARTS = 2.0**42
"""The largest of some weights in whole numbers, of which 2^11 still add up exactly in any order, below 2^53."""


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea & Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def uniforms(seed: int, sample: int, start: int, num: int) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) with 24 bits for positions start, start + 1, ... of one completion, shape `[num]`."""
    numbers: NDArray[np.float32] = uniforms_of_rows([seed], [sample], [start], num)[0]
    return numbers


def uniforms_of_rows(seeds: list[int], samples: list[int], starts: list[int], num: int) -> NDArray[np.float32]:
    """The same for several completions `[rows, num]`; at positions below 0, which none has, it may be anything."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    of_seeds, of_samples = (np.array([value % 2**64 for value in values], np.uint64) for values in (seeds, samples))
    positions = (np.array(starts, np.int64)[:, None] + np.arange(1, num + 1)).astype(np.uint64)
    with np.errstate(over="ignore"):
        key = _mixed(_mixed(of_seeds) + golden * of_samples + golden)
        bits = _mixed(key[:, None] + golden * positions)
    numbers: NDArray[np.float32] = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
    return numbers


@dataclass(frozen=True)
class Settings:
    """The sampling settings of all rows of a batch, as tensors; rebuilt when rows change.

    Attributes:
        scale: 1 / temperature `[rows, 1]`, 1 for greedy rows; `None` where all are 1.
        greedy: rows that take the most likely token `[rows]`; `None` where there are none.
        all_greedy: every row does.
        filtered: indices of the rows with top-p or top-k `[n]`; `None` where there are none.
        top_p, top_k: of those rows `[n, 1]`; a top-k that is off is the size of the vocabulary.
        deep: whether what top-p keeps of a row may lie behind its candidates.
        num_candidates: the largest top-k that is set, and at least `NUM_CANDIDATES`.
        num_tokens: ids that may be drawn; logits behind them only pad the model's vocabulary.
    """

    scale: torch.Tensor | None
    greedy: torch.Tensor | None
    all_greedy: bool
    filtered: torch.Tensor | None
    top_p: torch.Tensor
    top_k: torch.Tensor
    deep: bool
    num_candidates: int
    num_tokens: int

    @property
    def is_plain(self) -> bool:
        """Whether all rows draw from all that they may draw."""
        return self.greedy is None and self.filtered is None

    @classmethod
    def of(cls, rows: list[Sampling], num_tokens: int, device: torch.device) -> "Settings":
        """Gather the settings of the rows."""

        def there(values: list[Any], kind: Any) -> torch.Tensor:
            return to_device(np.array(values, kind), device)

        scales = [1.0 if row.temperature == 0 else 1 / row.temperature for row in rows]
        greedy = [row.temperature == 0 for row in rows]
        filtered = [n for n, row in enumerate(rows) if not greedy[n] and (row.top_p < 1 or row.top_k)]
        top_k = [rows[n].top_k or num_tokens for n in filtered]
        return cls(
            scale=None if set(scales) <= {1.0} else there(scales, np.float32)[:, None],
            greedy=there(greedy, np.bool_) if any(greedy) else None,
            all_greedy=all(greedy),
            filtered=there(filtered, np.int64) if filtered else None,
            top_p=there([rows[n].top_p for n in filtered], np.float32)[:, None],
            top_k=there(top_k, np.int64)[:, None],
            deep=any(rows[n].top_k == 0 for n in filtered),
            num_candidates=max([NUM_CANDIDATES, *(rows[n].top_k for n in filtered)]),
            num_tokens=num_tokens,
        )


def draw(
    logits: torch.Tensor,
    uniform: torch.Tensor,
    settings: Settings,
    banned: torch.Tensor | None,
    raised: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token a row.

    Args:
        logits: `[rows, vocabulary]`, the padding of the vocabulary among them.
        uniform: `[rows, 1]` float32.
        settings: of the rows.
        banned: tokens that cannot be drawn `[rows, num_tokens]`, or `None`.
        raised: rows, ids and what is added to their logits before the temperature `[n]` each, or `None`.

    Returns:
        Ids `[rows]`, and their log-probabilities `[rows]` after temperature and before bans, what is raised, top-p and
        top-k.
    """
    if logits.is_cuda and banned is None and raised is None and settings.is_plain and _has_kernel(logits.device):
        from elastic_reasoning.engines.local.draw_kernel import draw_plain

        return draw_plain(logits, uniform, settings.scale, settings.num_tokens)
    if settings.scale is not None:
        logits = logits.float() * settings.scale
    probs = logits.softmax(-1, dtype=torch.float32)
    # Banned tokens leave before the softmax: behind it the others may have nothing left in float32.
    num = settings.num_tokens
    padded = num < probs.shape[1]
    allowed = probs[:, :num] if padded else probs
    if banned is not None or raised is not None:
        edited = logits[:, :num].to(torch.float32, copy=True)
        if banned is not None:
            edited.masked_fill_(banned, -torch.inf)
        if raised is not None:
            rows, ids, amounts = raised
            edited[rows, ids] += amounts if settings.scale is None else amounts * settings.scale[rows, 0]
        allowed = edited.softmax(-1)
    if settings.all_greedy:
        ids = allowed.argmax(-1)
    else:
        ids = _inverse(allowed, uniform).squeeze(1)
        if settings.filtered is not None:
            ids[settings.filtered] = _filtered(allowed[settings.filtered], uniform[settings.filtered], settings)
        if settings.greedy is not None:
            ids = torch.where(settings.greedy, allowed.argmax(-1), ids)
    if banned is None and raised is None and not padded:  # what is drawn then has a probability above 0
        return ids, probs.gather(1, ids[:, None]).squeeze(1).log()
    top_prob, top = probs.max(-1, keepdim=True)  # one pass, where a log-softmax takes two
    below = logits.gather(1, ids[:, None]).float() - logits.gather(1, top).float()
    return ids, (top_prob.log() + below).squeeze(1)


@cache
def _has_kernel(device: torch.device) -> bool:
    """Whether a device draws by the kernels what it draws without them."""
    if find_spec("triton") is None:
        return False
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 5 * BLOCK + 7, generator=generator).to(device)
    uniform = torch.rand(64, 1, generator=generator).to(device)
    expected = _inverse_in_blocks(logits.softmax(-1), uniform).squeeze(1)
    try:
        from elastic_reasoning.engines.local.draw_kernel import draw_plain

        ids, logprobs = draw_plain(logits, uniform, None, logits.shape[1])
        error = logits.log_softmax(-1).gather(1, ids[:, None]).squeeze(1) - logprobs
        agrees = bool((ids == expected).sum() >= 62) and bool((error.abs() < 1e-4).all())  # two may lie on an edge
        reason = "others are drawn"
    except Exception as failure:  # whatever a compiler says of whatever device
        agrees, reason = False, f"{type(failure).__name__}: {(str(failure).splitlines() or ['no message'])[0]}"
    if not agrees:
        logger.warning("draws on %s are made without a kernel of our own: %s", device, reason)
    return agrees


def _inverse(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The first index whose cumulative weight exceeds the uniform share of the total `[rows, 1]`."""
    if weights.is_cpu:
        cumulative = weights.cumsum(-1)  # one after the other: it never falls
        found = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True)
        return found.clamp_(max=weights.shape[1] - 1)
    return _inverse_in_blocks(weights, uniform)


def _inverse_in_blocks(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The same in one pass over the weights: first the block of them, then the index within."""
    num_rows, num = weights.shape
    whole = num // BLOCK * BLOCK
    blocks, rest = weights[:, :whole].view(num_rows, num // BLOCK, BLOCK), weights[:, whole:]
    sums = torch.cat([blocks.sum(-1), rest.sum(-1, keepdim=True)], 1)
    block, share = _found(sums, uniform.double())
    ids = block * BLOCK + torch.arange(BLOCK, device=weights.device)
    inside = weights.gather(1, ids.clamp(max=num - 1)).masked_fill_(ids >= num, 0.0)
    return (block * BLOCK + _found(inside, share)[0]).clamp_(max=num - 1)


def _found(weights: torch.Tensor, share: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The index at a share of the total, and at what share of its own weight that is, both `[rows, 1]`."""
    # A sum in parallel need not rise with every term; one of whole numbers does, so that what is found has weight.
    parts = (weights / weights.amax(-1, keepdim=True)).double().mul_(PARTS).round_()
    cumulative = parts.cumsum(-1)
    target = share * cumulative[:, -1:]
    index = torch.searchsorted(cumulative, target, right=True).clamp_(max=weights.shape[1] - 1)
    own = parts.gather(1, index)
    left = (target - cumulative.gather(1, index) + own) / own
    return index, left.clamp_(max=1 - 2.0**-24)


def _filtered(probs: torch.Tensor, uniform: torch.Tensor, settings: Settings) -> torch.Tensor:
    """Draw under top-p and top-k `[rows]`: a partial sort, or a full one where the mass of a row lies deeper.

    To ask a device whether it does would cost more than to sort there.
    """
    total = probs.sum(-1, keepdim=True)
    num = min(settings.num_candidates, probs.shape[1])
    if settings.deep and not probs.is_cpu:
        weights, ids = probs.sort(-1, descending=True)
    else:
        weights, ids = probs.topk(num, sorted=True)
        enough = (weights.sum(-1, keepdim=True) >= settings.top_p * total) | (settings.top_k <= num)
        if settings.deep and not bool(enough.all()):
            weights, ids = probs.sort(-1, descending=True)
    rank = torch.arange(weights.shape[1], device=probs.device)
    within_k = weights.masked_fill(rank >= settings.top_k, 0.0)
    before = within_k.cumsum(-1) - within_k
    mass = torch.where(settings.top_k < probs.shape[1], within_k.sum(-1, keepdim=True), total)
    kept = within_k.masked_fill(before >= settings.top_p * mass, 0.0)
    return ids.gather(1, _inverse(kept, uniform)).squeeze(1)
