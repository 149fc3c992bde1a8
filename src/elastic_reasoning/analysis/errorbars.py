"""Standard errors of what was measured on problems with several samples each.

    clustered_se([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])   # of the mean over all six samples
    paired_means(before, after).difference               # on the same problems, with its standard error
    interval(0.62, 0.03, num_clusters=40)                # (0.560, 0.677), 95 %
    jackknife(sums, lambda sums: sums[..., 0] ** 2 / sums[..., 1])   # of whatever sums over problems add up to

Samples of one problem are not independent, nor are budgets that share a thinking: the problem is the unit, here a
cluster. Sums are exact, so that the order of the records makes no difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NORMAL = NormalDist()
Z95 = NORMAL.inv_cdf(0.975)
ROUNDING = 1e-12
"""A standard error below it is what rounding leaves of 0."""


class Estimate(NamedTuple):
    """A number and its standard error; the latter is `None` for fewer than two clusters."""

    value: float
    se: float | None


@dataclass(frozen=True, slots=True)
class Means:
    """Means over all samples of two settings on the same clusters.

    Attributes:
        a, b: the two means.
        difference: b less a.
        se: standard error of the difference; `None` for fewer than two clusters.
    """

    a: float
    b: float
    difference: float
    se: float | None


def clustered_se(clusters: Sequence[Sequence[float]]) -> float | None:
    """Standard error of the mean over all samples, which depend on each other within a cluster.

    With n samples s_ic in G clusters and their mean m over all samples,

        SE = sqrt( G / (G - 1) * sum_c (sum_i (s_ic - m))^2 ) / n

    which is equation 4 of Miller 2024 ("Adding Error Bars to Evals", arXiv 2411.00640), written as one sum, with the
    factor G / (G - 1) for few clusters. With one sample a cluster it is the usual s / sqrt(n); with equally many it
    is that of the clusters' means. Clusters may differ in size.

    Returns:
        The standard error, `None` for fewer than two clusters.
    """
    return _root_of_squares(_deviations(clusters)[1]) if clusters else None


def _deviations(clusters: Sequence[Sequence[float]]) -> tuple[float, list[float]]:
    """The mean over all samples, and what each cluster adds to its deviation from the true mean."""
    num_samples = sum(map(len, clusters))
    mean = fsum(map(fsum, clusters)) / num_samples
    return mean, [(fsum(cluster) - len(cluster) * mean) / num_samples for cluster in clusters]


def _root_of_squares(shares: Sequence[float]) -> float | None:
    """The standard error of a sum, from what each of G clusters adds to its deviation; `None` for G < 2."""
    if len(shares) < 2:
        return None
    se = sqrt(len(shares) / (len(shares) - 1) * fsum(share * share for share in shares))
    return se if se > ROUNDING else 0.0


def paired_means(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> Means:
    """Two means and their difference, where cluster c of `a` and of `b` is the same problem.

    Problems that are hard are hard for both, so the difference is known better than either mean
    (Miller 2024, arXiv 2411.00640, section 4). A problem's part of the deviation is that of its samples in `b`
    less that in `a`; with equally many samples the standard error is that of the per-problem differences.

    Args:
        a, b: the samples of each cluster, as many clusters in both, at least one.
    """
    (mean_a, parts_a), (mean_b, parts_b) = _deviations(a), _deviations(b)
    se = _root_of_squares([part_b - part_a for part_a, part_b in zip(parts_a, parts_b, strict=True)])
    return Means(mean_a, mean_b, mean_b - mean_a, se)


def sums_by_cluster(values: NDArray[Any], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the samples of each cluster add up to.

    Args:
        values: [samples, m].
        clusters: [samples], which cluster a sample belongs to, by any number.

    Returns:
        [clusters, m], in ascending order of the clusters' numbers.
    """
    named, place = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(named), values.shape[1]))
    np.add.at(sums, place, values)
    return sums


def jackknife(
    sums: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[Estimate]:
    """What a smooth function of sums over all samples is, with standard errors clustered by problem.

    The delete-one jackknife over G clusters (Tukey 1958; Efron & Tibshirani 1993, "An Introduction to the Bootstrap",
    chapter 11): with v_c the statistic without cluster c and v their mean, SE^2 = (G - 1) / G * sum_c (v_c - v)^2. Of a
    mean over equally large clusters it is what `clustered_se` gives.

    Args:
        sums: [clusters, m], of each cluster.
        statistic: from sums [..., m] to values [..., k]; NaN where it has none.

    Returns:
        One estimate for each of the k values; its standard error is `None` where some cluster alone gives it a value.
    """
    sums = sums[np.lexsort(sums.T)]  # sums are rounded: in one order, in whichever order records were written
    total = sums.sum(axis=0)
    values = statistic(total)
    if len(sums) < 2:
        return [Estimate(float(value), None) for value in values]
    without = statistic(total - sums)
    squares = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    errors = np.sqrt((len(sums) - 1) / len(sums) * squares)
    return [
        Estimate(float(value), None if np.isnan(se) else float(se) if se > ROUNDING else 0.0)
        for value, se in zip(values, errors, strict=True)
    ]


def interval(share: float, se: float, num_clusters: int) -> tuple[float, float]:
    """The 95 % interval of a share with that standard error.

    Wilson's score interval (1927) for as many independent samples as would have the standard error, n = p (1 - p) /
    SE^2. It stays within 0 to 1 and does not shrink to a point where all problems agree: for a standard error of 0
    each cluster counts as one sample.
    """
    num = share * (1 - share) / se**2 if se > 0 else num_clusters
    centre = (share + Z95**2 / (2 * num)) / (1 + Z95**2 / num)
    half = Z95 / (1 + Z95**2 / num) * sqrt(share * (1 - share) / num + Z95**2 / (4 * num**2))
    return max(0.0, centre - half), min(1.0, centre + half)
