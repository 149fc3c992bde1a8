"""Whether a model computes with slots what it computes by itself: tried at load, on a few ragged rows.

A wrong mask or position does not raise, it answers worse. So every model is compared with its own plain forward
before it is used, over rows of unequal length that reach beyond a sliding window.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from elastic_reasoning.engines.batch import Store, num_logits
from elastic_reasoning.engines.own_cache import OwnCache
from elastic_reasoning.engines.slots import Slots
from elastic_reasoning.errors import EngineError

NUM_STEPS = 5
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
LOW_PRECISION_TOLERANCE = 0.3
"""On the mean difference of log-probabilities in bfloat16 and float16, where single ones differ by rounding."""


def choose_store(model: Any, max_rows: int) -> Callable[[], Store]:
    """What makes the fastest store that gives the model's own log-probabilities.

    Raises:
        EngineError: neither the slots nor the model's own cache do.
    """
    window, candidates = attention_kinds(model.config.get_text_config())
    reasons = []
    for kinds in candidates:
        reason = difference(model, Slots(model, 3, kinds, window), window)
        if reason is None:
            return partial(Slots, model, max_rows, kinds, window)
        reasons.append(f"slots with {'+'.join(sorted(kinds))} attention: {reason}")
    reason = difference(model, OwnCache(model), window)
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
def difference(model: Any, store: Store, window: int) -> str | None:
    """What is wrong with a store, or `None` if it agrees with a plain forward."""
    num_tokens, context = num_logits(model), getattr(model.config.get_text_config(), "max_position_embeddings", None)
    lengths = [7, 3, 1][: store.max_rows]
    if window and (context is None or window + NUM_STEPS + 2 <= context):
        lengths[0] = window + 2  # this row's steps see the first columns leave the window
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(num_tokens, (n + NUM_STEPS,), generator=generator).to(model.device) for n in lengths]
    try:
        stepped = _stepped(store, rows, lengths)
        for row, length, steps in zip(rows, lengths, stepped, strict=True):
            plain = model(input_ids=row[None], use_cache=False).logits[0, length - 1 : -1]
            error = (plain.float().log_softmax(-1) - steps.float().log_softmax(-1)).abs()
            worst = float(error.max() if model.dtype in TOLERANCE else error.mean())
            if not worst <= TOLERANCE.get(model.dtype, LOW_PRECISION_TOLERANCE):
                return f"log-probabilities differ by {worst:.2g} from a plain forward"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    return None


def _stepped(store: Store, rows: list[torch.Tensor], lengths: list[int]) -> list[torch.Tensor]:
    """Logits of the steps after each row's first tokens, `[NUM_STEPS, vocabulary]` a row."""
    device = rows[0].device
    width = max(lengths) - 1
    padded = torch.zeros(len(rows), width, dtype=torch.int64, device=device)
    for n, length in enumerate(lengths):
        padded[n, : length - 1] = rows[n][: length - 1]
    store.reserve(len(rows), max(lengths) + NUM_STEPS)
    columns = np.array(lengths, np.int64) - 1
    store.prefill(0, padded, columns)
    steps = []
    for step in range(NUM_STEPS):
        tokens = torch.stack([row[column] for row, column in zip(rows, columns.tolist(), strict=True)])
        steps.append(store.decode(tokens, torch.from_numpy(columns).to(device), columns).clone())
        columns = columns + 1
        if step == 1:  # take the last token back and feed it again
            for n in range(len(rows)):
                store.forget(n, int(columns[n]) - 1)
            columns = columns - 1
            steps.pop()
            tokens = torch.stack([row[column] for row, column in zip(rows, columns.tolist(), strict=True)])
            steps.append(store.decode(tokens, torch.from_numpy(columns).to(device), columns).clone())
            columns = columns + 1
    return list(torch.stack(steps, 1))
