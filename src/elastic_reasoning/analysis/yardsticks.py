"""The field's yardsticks of every model and strategy that was measured at several budgets.

    for found in yardsticks(records):
        print(found.model, found.strategy, found.area, found.reg, found.overthinking)
        for step in found.steps:
            print(step.budget, step.starved, step.oracle_gain)

A pure function of records. `None` stands for what they cannot tell: `docs/evaluating.md` says what each needs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.analysis.areas import area, gaps
from elastic_reasoning.analysis.cuts import after_right, after_settled, mended, spoiled
from elastic_reasoning.analysis.efficiency import efficiency
from elastic_reasoning.analysis.errorbars import Estimate, jackknife, sums_by_cluster
from elastic_reasoning.analysis.ladders import Ladder, ladders
from elastic_reasoning.analysis.oracle import held_out, hindsight, mixed
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record


class _Measure(NamedTuple):
    """A number at each budget, and its mean over those that have it."""

    steps: list[Estimate | None]
    mean: Estimate | None


@dataclass(frozen=True, slots=True)
class Step:
    """One budget of a ladder. Shares and accuracies are in 0 to 1.

    Attributes:
        budget: as text.
        accuracy, tokens: share of correct samples, and tokens a sample, mean.
        ock_score, e3: see `efficiency`.
        overthinking: thinking tokens after the answer stood right, of all thinking tokens; `None` without thinking.
        settled_overthinking: the same after the answer stood, right or wrong.
        starved: samples that are wrong here and right at the next budget; `None` at the last, like the next.
        spoiled: samples that are right here and wrong at the next budget.
        hindsight_gain: accuracy at the same mean tokens of whoever knew for each sample which budgets make it right,
            less ours.
        oracle_gain: the same of whoever knew each problem's accuracy and tokens at every budget, learnt from one half
            of its samples and measured on the other; `None` with one sample a problem.
        mixed_gain: the same of whoever knows nothing, and draws by lot which of two budgets a sample gets.
    """

    budget: str
    accuracy: Estimate | None
    tokens: Estimate | None
    ock_score: Estimate | None
    e3: Estimate | None
    overthinking: Estimate | None
    settled_overthinking: Estimate | None
    starved: Estimate | None
    spoiled: Estimate | None
    hindsight_gain: Estimate | None
    oracle_gain: Estimate | None
    mixed_gain: Estimate | None


@dataclass(frozen=True, slots=True)
class Yardsticks:
    """One model and strategy over all its budgets of one s.

    Attributes:
        model, strategy: of all.
        solution: tokens for the solution, as text; empty where the strategy heeds the total alone.
        num_problems, num_samples: that were graded at every budget.
        num_left_out: samples that were not.
        num_unshared: samples whose thinkings cannot be one, cut at each budget. They count for nothing from
            `overthinking` on.
        area: under accuracy over log(t + s), in 0 to 1.
        reg: reasoning efficiency gap, the mean distance to the best at each budget, in 0 to 1.
        starved, spoiled, hindsight_gain, oracle_gain, mixed_gain: means over the budgets that have them.
        steps: each budget, smallest first.
    """

    model: str
    strategy: str
    solution: str
    num_problems: int
    num_samples: int
    num_left_out: int
    num_unshared: int
    area: Estimate | None
    reg: Estimate | None
    starved: Estimate | None
    spoiled: Estimate | None
    hindsight_gain: Estimate | None
    oracle_gain: Estimate | None
    mixed_gain: Estimate | None
    steps: list[Step]


CUTS = ("overthinking", "settled_overthinking", "starved", "spoiled", "hindsight_gain", "oracle_gain", "mixed_gain")
"""What is told of thinkings that are cut."""


def yardsticks(records: Iterable[Record]) -> list[Yardsticks]:
    """Of each ladder of budgets, in the order of the tables."""
    return yardsticks_of(ladders(Records.of(records)))


def yardsticks_of(found: Sequence[Ladder]) -> list[Yardsticks]:
    """The same of ladders, each beside all others."""
    return [_of(ladder, reg) for ladder, reg in zip(found, gaps(found), strict=True)]


def _of(ladder: Ladder, reg: Estimate | None) -> Yardsticks:
    shared = ladder.where(ladder.shares_thinking)
    measures = {**_efficiency(ladder), **_cuts(shared)}
    return Yardsticks(
        ladder.model,
        ladder.strategy,
        ladder.solution,
        num_problems=len(np.unique(ladder.problems)),
        num_samples=len(ladder.problems),
        num_left_out=ladder.num_left_out,
        num_unshared=len(ladder.problems) - len(shared.problems),
        area=area(ladder),
        reg=reg,
        starved=measures["starved"].mean,
        spoiled=measures["spoiled"].mean,
        hindsight_gain=measures["hindsight_gain"].mean,
        oracle_gain=measures["oracle_gain"].mean,
        mixed_gain=measures["mixed_gain"].mean,
        steps=[
            Step(budget, **{name: measure.steps[n] for name, measure in measures.items()})
            for n, budget in enumerate(ladder.budgets)
        ],
    )


def _efficiency(ladder: Ladder) -> dict[str, _Measure]:
    """What is told of each budget alone."""
    ones = np.ones(ladder.tokens.shape)
    scores = [efficiency(*each, ladder.problems) for each in zip(ladder.correct.T, ladder.tokens.T, strict=True)]
    return {
        "accuracy": _ratios(ladder.correct, ones, ladder.problems),
        "tokens": _ratios(ladder.tokens, ones, ladder.problems),
        "ock_score": _Measure([each.ock_score for each in scores], None),
        "e3": _Measure([each.e3 for each in scores], None),
    }


def _cuts(ladder: Ladder) -> dict[str, _Measure]:
    """What is told of samples each of which is one thinking, cut at every budget."""
    ones = np.ones(ladder.tokens.shape)
    has_next = np.arange(len(ladder.budgets)) < len(ladder.budgets) - 1
    if not len(ladder.problems):
        return dict.fromkeys(CUTS, _Measure([None] * len(ladder.budgets), None))
    terms, num_samples = held_out(ladder)
    return {
        "overthinking": _ratios(after_right(ladder), ladder.thinking, ladder.problems),
        "settled_overthinking": _ratios(after_settled(ladder), ladder.thinking, ladder.problems),
        "starved": _ratios(mended(ladder), ones * has_next, ladder.problems),
        "spoiled": _ratios(spoiled(ladder), ones * has_next, ladder.problems),
        "hindsight_gain": _ratios(hindsight(ladder), ones, ladder.problems),
        "mixed_gain": _ratios(mixed(ladder), ones, ladder.problems),
        "oracle_gain": _ratios(terms, np.broadcast_to(num_samples[:, None], terms.shape), np.arange(len(terms))),
    }


def _ratios(parts: NDArray[Any], wholes: NDArray[Any], clusters: NDArray[np.int64]) -> _Measure:
    """The sum of each column of [n, k] by that of another, and the mean of these; `None` where the whole is 0."""
    sums = sums_by_cluster(np.concatenate([parts, wholes], axis=1), clusters)
    width = parts.shape[1]
    known = np.flatnonzero(sums[:, width:].sum(axis=0))
    if not len(known):
        return _Measure([None] * width, None)

    def ratios(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        part, whole = sums[..., known], sums[..., width + known]
        each = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
        return np.concatenate([each, each.mean(axis=-1, keepdims=True)], axis=-1)

    *each, mean = jackknife(sums, ratios)
    steps: list[Estimate | None] = [None] * width
    for step, estimate in zip(known, each, strict=True):
        steps[step] = estimate
    return _Measure(steps, mean)
