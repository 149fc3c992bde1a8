"""Ladders from arrays, without records."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elastic_reasoning.analysis.ladders import Ladder


def make_ladder(
    correct: ArrayLike,
    tokens: ArrayLike | None = None,
    problems: ArrayLike | None = None,
    totals: Sequence[float] | None = None,
    **grids: Any,
) -> Ladder:
    """Samples [n, k]; each is a problem of its own, budgets double and are spent, where nothing else is said."""
    right = np.asarray(correct, bool)
    num, k = right.shape
    limits = np.array([8.0 * 2**n for n in range(k)] if totals is None else totals)
    spent = np.broadcast_to(limits if tokens is None else np.asarray(tokens), right.shape)
    return Ladder(
        model="mini",
        strategy="elastic",
        solution="0",
        budgets=tuple(f"{limit:.0f}+0" for limit in limits),
        totals=limits,
        problems=np.arange(num) if problems is None else np.asarray(problems),
        correct=right,
        answers=np.asarray(grids.get("answers", np.where(right, 1, 0))),
        thinking=np.asarray(grids.get("thinking", spent)),
        tokens=spent,
        ended=np.asarray(grids.get("ended", np.zeros(right.shape, bool))),
        num_left_out=0,
    )
