"""Whether a model computes with slots what it computes by itself: tried at load, on a few ragged rows.

A wrong mask or position does not raise, it answers worse. So every model is compared with its own plain forward
before it is used, over rows of unequal length, of which one is twice as long as a sliding window.
"""

import logging
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.local.cache_name import OwnCache, keeping
from elastic_reasoning.engines.local.fused import Fusing
from elastic_reasoning.engines.local.graphs import Graphed
from elastic_reasoning.engines.local.rounding import MOST, TOLERANCE, distance, roundings
from elastic_reasoning.engines.local.slots import Slots
from elastic_reasoning.engines.local.store import Store, num_logits

logger = logging.getLogger(__name__)

SHORT = 16
"""Tokens of a row that is padded rather than given a forward pass of its own."""
NUM_STEPS, NUM_STEPS_LOW = 2, 3
"""Steps that are compared, the first of them after it was taken back; in low precision it is the median step."""
NUM_TIMES = 3
"""In bfloat16 and float16: how many times the rounding of the model's own cache is excused."""


def choose_store(model: Any, max_rows: int, graphs: bool = False, fuse_after: int | None = None) -> Callable[[], Store]:
    """What makes the fastest store that gives the model's own log-probabilities.

    Args:
        model: a causal language model.
        max_rows: rows of the store; the model's own cache has one.
        graphs: whether steps may be recorded.
        fuse_after: recorded steps before the layers are fused; never if `None`.

    Raises:
        EngineError: neither the slots nor the model's own cache do.
    """
    window, candidates = attention_kinds(model.config.get_text_config())
    reasons: list[str] = []
    for kinds, slots in product(candidates, (Graphed, Slots) if graphs else (Slots,)):
        reason = mismatch(model, slots(model, 3, kinds, window), window)
        if reason is None:
            if graphs and slots is Slots:
                logger.warning("%s runs more slowly than it might (%s)", type(model).__name__, "; ".join(reasons))
            fusing = {} if slots is Slots or fuse_after is None else {"fusing": Fusing(model, fuse_after)}
            return partial(slots, model, max_rows, kinds, window, **fusing)
        name = "recorded steps" if slots is Graphed else "slots"
        reasons.append(f"{name} with {'+'.join(sorted(kinds))} attention: {reason}")
    reason = mismatch(model, OwnCache(model), window)
    if reason is None:
        return partial(OwnCache, model)
    reasons.append(f"its own cache: {reason}")
    raise EngineError(f"{type(model).__name__} cannot be run token by token ({'; '.join(reasons)})")


def attention_kinds(config: Any) -> tuple[int, list[frozenset[str]]]:
    """The sliding window in tokens (0 for none), and the sets of masks to try, the likeliest first."""
    window = getattr(config, "sliding_window", None) or 0
    layer_types = getattr(config, "layer_types", None)
    if layer_types is not None:
        kinds = {str(kind).removesuffix("_attention") for kind in layer_types}
        return window, [frozenset(kinds)] if kinds <= {"full", "sliding"} else []
    if window and getattr(config, "use_sliding_window", True):
        return window, [frozenset({"sliding"}), frozenset({"full"})]
    return window, [frozenset({"full"})]


@torch.inference_mode()
def mismatch(model: Any, store: Store, window: int) -> str | None:
    """What is wrong with a store, or `None` if it agrees with a plain forward."""
    num_steps = NUM_STEPS if model.dtype in TOLERANCE else NUM_STEPS_LOW
    lengths = _lengths(model, window, num_steps)[: store.max_rows]
    generator = torch.Generator().manual_seed(0)
    num_tokens = num_logits(model)
    rows = [torch.randint(num_tokens, (n + num_steps - 1,), generator=generator).to(model.device) for n in lengths]
    try:
        plain = _plain(model, rows, lengths)
        stepped = _stepped(store, rows, lengths)
        worst = max(distance(own, steps) for own, steps in zip(plain, stepped, strict=True))
        limit = max(roundings(model, there) for there in plain)
        if worst > limit and model.dtype not in TOLERANCE:  # the cheap limit comes first: the other takes many passes
            limit = min(NUM_TIMES * _own_noise(model, rows, lengths, plain) + limit, MOST)
        if not worst <= limit:
            return f"log-probabilities differ by {worst:.2g} from a plain forward, {limit:.2g} is allowed"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    return None


def _lengths(model: Any, window: int, num_steps: int) -> list[int]:
    """Tokens before the first step of each row; a window hides about as many of the first row's as it shows."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = 2 * window + 2 if context is None else min(2 * window + 2, context - num_steps)
    return [longest if window and longest >= window + 2 else 7, 3, 1]


def _plain(model: Any, rows: list[torch.Tensor], lengths: list[int]) -> list[torch.Tensor]:
    """Logits of forwards without cache, after the token of each step `[steps, vocabulary]` a row.

    A long row by itself; short ones together: causality hides what pads them.
    """
    num_steps = len(rows[0]) - lengths[0] + 1
    num_alone = int(len(rows[0]) > SHORT)  # the first row is the longest
    logits = []
    if num_alone:
        alone = model(input_ids=rows[0][None], use_cache=False, **keeping(model, num_steps)).logits
        logits.append(alone[0, -num_steps:])
    if rows[num_alone:]:
        padded = torch.nn.utils.rnn.pad_sequence(rows[num_alone:], batch_first=True)
        together = model(input_ids=padded, use_cache=False).logits
        firsts = enumerate(length - 1 for length in lengths[num_alone:])
        logits += [together[n, first : first + num_steps] for n, first in firsts]
    return logits


def _own_noise(model: Any, rows: list[torch.Tensor], lengths: list[int], plain: list[torch.Tensor]) -> float:
    """The distance of the model's own cache from its plain forward, which may be none."""
    own = [_stepped(OwnCache(model), [row], [length])[0] for row, length in zip(rows, lengths, strict=True)]
    return max(distance(there, here) for there, here in zip(plain, own, strict=True))


def _stepped(store: Store, rows: list[torch.Tensor], lengths: list[int]) -> list[torch.Tensor]:
    """Logits of the steps after each row's first tokens `[steps, vocabulary]` a row."""
    device = rows[0].device
    width = max(lengths) - 1
    padded = torch.zeros(len(rows), width, dtype=torch.int64, device=device)
    for n, length in enumerate(lengths):
        padded[n, : length - 1] = rows[n][: length - 1]
    store.reserve(len(rows), max(map(len, rows)) + 1)
    columns = np.array(lengths, np.int64) - 1
    half = int(columns[0]) // 2  # the first row is the longest
    begun = np.append(half, columns[1:])
    store.prefill(np.arange(len(rows)), padded[:, : begun.max()], begun)
    if half < width:
        store.extend(0, padded[0, half:], half)
    _step(store, rows, columns)
    for n, column in enumerate(columns.tolist()):  # take the first step back and make it again
        store.forget(n, column)
    num_steps = len(rows[0]) - lengths[0] + 1
    return list(torch.stack([_step(store, rows, columns + step) for step in range(num_steps)], 1))


def _step(store: Store, rows: list[torch.Tensor], columns: NDArray[np.int64]) -> torch.Tensor:
    """Logits after each row's token in its column `[rows, vocabulary]`."""
    tokens = torch.stack([row[column] for row, column in zip(rows, columns.tolist(), strict=True)])
    return store.decode(tokens, torch.from_numpy(columns).to(tokens.device), columns).clone()
