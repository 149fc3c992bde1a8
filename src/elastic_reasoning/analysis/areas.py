"""Accuracy over budgets in one number: the area under the curve, and its distance from the best of several curves.

    area(accuracies, totals)                # 0.61 of the accuracy 1 at every budget
    gaps(ladders(records))                  # REG of each ladder, beside all others

Budgets are what is allowed, t + s in tokens, not what is used; what is allowed without limit is left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.analysis.errorbars import Estimate, jackknife, sums_by_cluster
from elastic_reasoning.analysis.ladders import Ladder


def mean_height(heights: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under straight lines between points (trapezoids), by the width: the mean height over the range.

    Args:
        heights: [..., k].
        places: [k], ascending, at least two.

    Returns:
        [...].
    """
    mean: NDArray[np.float64] = np.trapezoid(heights, places, axis=-1) / (places[-1] - places[0])
    return mean


def area(ladder: Ladder) -> Estimate | None:
    """The area under accuracy over log(t + s), from the smallest to the largest finite budget, in 0 to 1.

    On the logarithmic axis each doubling of the budget weighs the same. Areas are comparable where they are over the
    same budgets. `None` for fewer than two finite budgets, or where one allows no token.
    """
    finite = np.isfinite(ladder.totals)
    totals = ladder.totals[finite]
    if len(totals) < 2 or totals[0] <= 0:
        return None
    sums = sums_by_cluster(_counted(ladder.correct[:, finite]), ladder.problems)
    (found,) = jackknife(sums, lambda sums: mean_height(_means(sums), np.log(totals))[..., None])
    return found


def gaps(given: Sequence[Ladder]) -> list[Estimate | None]:
    """The reasoning efficiency gap (REG) of each ladder to the best of all at each budget.

    Gao et al. 2025 ("How Far Are We from Optimal Reasoning Efficiency?", arXiv 2506.07104): the sum over token
    budgets L of J*(L) - J(L), for the accuracy J(L) at a budget and the frontier J*(L), the highest of a pool of
    models. The sum is taken by trapezoids over the budgets that were measured, on the linear axis, and divided by their
    range: it is the mean gap in 0 to 1, and theirs is that times the largest budget less the smallest.
    The definition is from a summary of the paper, whose text could not be read, and from its published frontiers.

    Their pool are fine-tunes of one model; here it is every ladder of the same records that has a budget of that total,
    on the problems that all ladders have. A wider pool makes larger gaps, and the best of several owes a part of its
    lead to luck. `None` for a ladder that shares fewer than two totals with others.
    """
    shared = set.intersection(*(set(each.problems.tolist()) for each in given)) if given else set()
    if not shared:
        return [None] * len(given)
    chosen = [each.where(np.isin(each.problems, list(shared))) for each in given]
    sums = [sums_by_cluster(_counted(each.correct), each.problems) for each in chosen]
    return [_gap(own, chosen, sums) for own in range(len(chosen))]


def _gap(own: int, pool: Sequence[Ladder], sums: Sequence[NDArray[np.float64]]) -> Estimate | None:
    ladder = pool[own]
    others = [number for number in range(len(pool)) if number != own]
    places = {total: step for step, total in enumerate(ladder.totals.tolist()) if np.isfinite(total)}
    known = [{total: step for step, total in enumerate(each.totals.tolist())} for each in pool]
    totals = [total for total in places if any(total in known[number] for number in others)]
    if len(totals) < 2:
        return None
    ends = np.cumsum([each.shape[1] for each in sums])

    def gap(joined: NDArray[np.float64]) -> NDArray[np.float64]:
        means = [_means(part) for part in np.split(joined, ends[:-1], axis=-1)]
        height = [
            np.max([means[n][..., known[n][total]] for n in range(len(pool)) if total in known[n]], axis=0)
            - means[own][..., places[total]]
            for total in totals
        ]
        return mean_height(np.stack(height, axis=-1), np.array(totals))[..., None]

    (found,) = jackknife(np.concatenate(sums, axis=1), gap)
    return found


def _counted(values: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[n, k] with a last column of ones, so that sums know how many samples they have."""
    return np.concatenate([values, np.ones((len(values), 1))], axis=1)


def _means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of [..., k] from sums of `_counted`."""
    return sums[..., :-1] / sums[..., -1:]
