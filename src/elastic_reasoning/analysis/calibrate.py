"""What efforts mean for a model, from records: the cheapest budget that keeps a share of its best accuracy.

    found = calibrate(read_records(folder), {"low": 90, "medium": 97, "high": 99.5}, model="mini-e1")
    found.efforts["low"].budget     # "24+20"

It is chosen on one half of the problems and measured on the other (`elastic_reasoning.analysis.candidates`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import fsum, sqrt

from elastic_reasoning.analysis.candidates import Candidates, candidates
from elastic_reasoning.analysis.effort import EFFORTS, Best, Effort, Lengths, Measured, ModelEfforts, Source
from elastic_reasoning.analysis.errorbars import Z95, clustered_se, interval
from elastic_reasoning.analysis.samples import percentile
from elastic_reasoning.core.errors import RecordsError, UsageError, unknown
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.records.manifest import MODELS_DIGEST, Manifest
from elastic_reasoning.records.record import Record

SHARES: Mapping[str, float] = {"low": 90.0, "medium": 97.0, "high": 99.5}
"""Percent of the best accuracy that an effort keeps."""


def calibrate(
    run: tuple[Manifest, Iterable[Record]],
    shares: Mapping[str, float] = SHARES,
    model: str = "",
    strategy: str = DEFAULT_STRATEGY,
    folder: str = "",
) -> ModelEfforts:
    """The cheapest budget for each share of the best accuracy.

    The best is the highest accuracy of any finite budget on the problems to choose on; the cheapest has the smallest
    total, then the fewest sampled tokens.

    Args:
        run: what `read_records` gives.
        shares: percent of the best accuracy for each effort.
        model: may be left out where the records are of one.
        strategy: one whose budget is a bound.
        folder: name of the folder of the records.

    Raises:
        UsageError: an effort that is not one of `EFFORTS`, a share that cannot be or is below that of a lesser
            effort, or no such records.
        RecordsError: there are too few problems, or no answer is right.
    """
    _check_shares(shares)
    found = candidates(run, model, strategy)
    accuracies = {budget: found.accuracy(budget, found.choosing) for budget in found.budgets}
    cheapest = sorted(accuracies, key=found.cost)
    best = max(cheapest, key=accuracies.__getitem__)  # of equals the first
    if not accuracies[best]:
        raise RecordsError(
            f"{found.model} under {strategy} has no right answer on the {len(found.choosing)} problems to choose on, "
            "so there is no accuracy to keep: sweep larger budgets, or an easier task"
        )
    efforts = {}
    for name in sorted(shares, key=EFFORTS.index):
        wanted = shares[name] / 100
        budget = next(each for each in cheapest if accuracies[each] >= wanted * accuracies[best])
        efforts[name] = Effort(budget, _measured(found, budget, best, wanted))
    manifest = run[0]
    source = Source(
        folder,
        manifest.task,
        manifest.split,
        manifest.created,
        manifest.config.get(MODELS_DIGEST, {}).get(found.model, ""),
        found.held_out,
        len(found.choosing),
        len(found.measuring),
    )
    return ModelEfforts(found.strategy, efforts, _best(found, best), source)


def _check_shares(shares: Mapping[str, float]) -> None:
    if not shares:
        raise UsageError("no shares: give the percent of the best accuracy for each effort, as {low: 90, high: 99.5}")
    for name, share in shares.items():
        if name not in EFFORTS:
            raise UsageError(f"shares: {unknown('effort', name, EFFORTS)}")
        if not 0 < share <= 100:
            raise UsageError(f"shares: {name} {share:g}: must be percent of the best accuracy, above 0 and up to 100")
    ordered = sorted(shares, key=EFFORTS.index)
    for less, more in pairwise(ordered):
        if shares[less] > shares[more]:
            raise UsageError(
                f"shares: {less} {shares[less]:g} is above {more} {shares[more]:g}: more effort keeps more"
            )


def _best(found: Candidates, best: str) -> Best:
    accuracy, _, within = _accuracy(found, best)
    return Best(best, _rounded(accuracy), _both(within), is_largest=best == list(found.budgets)[-1])


def _accuracy(found: Candidates, budget: str) -> tuple[float, float, tuple[float, float]]:
    """On the measured problems, with its standard error and interval."""
    accuracy = found.accuracy(budget, found.measuring)
    se = clustered_se(found.grades(budget, found.measuring)) or 0.0
    return accuracy, se, interval(accuracy, se, len(found.measuring))


def _measured(found: Candidates, budget: str, best: str, wanted: float) -> Measured:
    accuracy, se, within = _accuracy(found, budget)
    share, share_se = ratio(found.grades(budget, found.measuring), found.grades(best, found.measuring))
    samples = list(found.budgets[budget].values())
    lengths = {
        name: [num for each in samples for num in each[name].tolist()]
        for name in ("num_thinking_tokens", "num_solution_tokens")
    }
    num_samples = sum(map(len, samples))
    return Measured(
        wanted_share_of_best=round(wanted, 6),
        share_of_best=_rounded(share),
        share_interval=_both((max(0.0, share - Z95 * share_se), share + Z95 * share_se)),
        accuracy=_rounded(accuracy),
        accuracy_se=_rounded(se),
        interval=_both(within),
        mean_tokens=round(found.tokens(budget, found.measuring), 1),
        thinking_tokens=_quantiles(lengths["num_thinking_tokens"]),
        solution_tokens=_quantiles(lengths["num_solution_tokens"]),
        budget_hit_rate=_rounded(sum(int(each["budget_hit"].sum()) for each in samples) / num_samples),
        cut_rate=_rounded(sum(int(each["solution_cut"].sum()) for each in samples) / num_samples),
        num_samples=num_samples,
    )


def ratio(some: Sequence[Sequence[float]], most: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The sum of some samples over that of others on the same clusters, and its standard error.

    With cluster sums a_c and b_c and R = sum a / sum b it is the linear approximation of Cochran 1977 ("Sampling
    Techniques", section 6.3) with independent clusters,

        SE = sqrt( G / (G - 1) * sum_c (a_c - R b_c)^2 ) / sum b

    Args:
        some, most: the samples of each cluster, as many clusters in both, at least two. Where `most` adds up to 0, so
            that there is nothing to take a share of, the share is 1.
    """
    whole = fsum(map(fsum, most))
    if not whole:
        return 1.0, 0.0
    share = fsum(map(fsum, some)) / whole
    squares = fsum((fsum(a) - share * fsum(b)) ** 2 for a, b in zip(some, most, strict=True))
    return share, sqrt(len(some) / (len(some) - 1) * squares) / whole


def _quantiles(values: Sequence[int]) -> Lengths:
    return Lengths(*(int(percentile(values, percent) or 0) for percent in (50, 90, 95, 99, 99.5)))


def _rounded(value: float) -> float:
    return round(value, 4)


def _both(bounds: tuple[float, float]) -> tuple[float, float]:
    return _rounded(bounds[0]), _rounded(bounds[1])
