"""How fast an engine is: a step's seconds as a function of the rows in it, fitted to a run or computed from hardware.

    pace = fitted([timed_walks_of_few_rows, timed_walks_of_many_rows])
    pace.seconds_of_step(64)         # one token for each of 64 rows

Decoding reads all weights once for a step, whatever the number of rows, and computes for every row: a line in the
number of rows (the roofline of Pope et al. 2022, arXiv 2211.05102, section 2).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pace:
    """What takes how long, in seconds.

    Attributes:
        step_seconds: of a step, whatever the number of its rows.
        row_seconds: of each row in it.
        call_seconds: from when a call is asked for to its first token, beside what the tokens take.
        prompt_token_seconds: of reading a token of a prompt, during which nothing else is done.
        record_seconds: of each record, in the process that writes them, while nothing is generated.
        start_up_seconds: of a model, until its first request.
    """

    step_seconds: float = 0.0
    row_seconds: float = 0.0
    call_seconds: float = 0.0
    prompt_token_seconds: float = 0.0
    record_seconds: float = 0.0
    start_up_seconds: float = 0.0

    def seconds_of_step(self, rows: int) -> float:
        """Of one token for each of so many rows; never quite nothing."""
        return max(self.step_seconds + rows * self.row_seconds, 1e-12)

    def scaled(self, factor: float) -> "Pace":
        """Generation by so much slower."""
        return replace(
            self,
            step_seconds=self.step_seconds * factor,
            row_seconds=self.row_seconds * factor,
            call_seconds=self.call_seconds * factor,
            prompt_token_seconds=self.prompt_token_seconds * factor,
        )


@dataclass(frozen=True, slots=True)
class TimedWalk:
    """When an engine took a walk and when it handed it back, and what it sampled in between."""

    began: float
    ended: float
    num_tokens: int
    num_calls: int


def busy_seconds(walks: Iterable[TimedWalk]) -> float:
    """How long at least one of them was under way."""
    total, until = 0.0, float("-inf")
    for walk in sorted(walks, key=lambda walk: walk.began):
        total += max(0.0, walk.ended - max(walk.began, until))
        until = max(until, walk.ended)
    return total


def fitted(runs: Sequence[Sequence[TimedWalk]]) -> Pace:
    """The pace that explains best how long each walk took, by least squares without negative parts.

    A walk of n tokens and c calls, beside which r rows ran on average, takes n (step + r row) + c call.

    Args:
        runs: the walks of each run; runs of different numbers of rows tell a step's seconds from a row's.
    """
    parts = [_terms(walks) for walks in runs if walks]
    if not parts:
        return Pace()
    terms, seconds = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    best, least = np.zeros(3), np.inf
    negligible = 1e-9 * float((seconds**2).sum())
    for size in (1, 2, 3):
        for chosen in combinations(range(3), size):
            found = np.linalg.lstsq(terms[:, chosen], seconds, rcond=None)[0]
            left = float(((terms[:, chosen] @ found - seconds) ** 2).sum())
            if (found >= 0).all() and left < least - negligible:
                best, least = np.zeros(3), left
                best[list(chosen)] = found
    step, row, call = (float(each) for each in best)
    return Pace(step_seconds=step, row_seconds=row, call_seconds=call)


def _terms(walks: Sequence[TimedWalk]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each walk its tokens, its tokens times the rows beside it, and its calls [n, 3]; and its seconds [n]."""
    began = np.array([walk.began for walk in walks])
    ended = np.array([walk.ended for walk in walks])
    times = np.unique(np.concatenate([began, ended]))
    rows = np.searchsorted(np.sort(began), times, "right") - np.searchsorted(np.sort(ended), times, "right")
    row_seconds = np.concatenate([[0.0], np.cumsum(np.diff(times) * rows[:-1])])
    seconds = ended - began
    beside = np.interp(ended, times, row_seconds) - np.interp(began, times, row_seconds)
    mean_rows = beside / np.maximum(seconds, 1e-9)
    tokens = np.array([walk.num_tokens for walk in walks], np.float64)
    return np.stack([tokens, tokens * mean_rows, np.array([walk.num_calls for walk in walks], np.float64)], 1), seconds
