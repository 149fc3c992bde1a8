"""Strategies side by side at equal tokens: what each makes of as many tokens as another one spends.

    for point in at_equal_tokens(records, "elastic"):
        print(point.model, point.strategy, point.tokens, point.accuracy, point.difference, point.difference_se)

A budget is spent differently by every strategy: one stops early, one probes, one thinks several times. So their curves
of accuracy over the tokens that were really sampled, probes and branches among them, are compared, not their budgets.
Between two budgets a curve is a straight line: what one gets who draws for each problem which of the two it has. Beyond
its last budget it stays where it is, for a strategy that would not spend more; before its first it has no value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from elastic_reasoning.analysis.errorbars import clustered_se
from elastic_reasoning.analysis.ordering import budget_order, by_setting
from elastic_reasoning.analysis.spending import spent_tokens
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record


@dataclass(frozen=True, slots=True)
class AtTokens:
    """A strategy at as many tokens as the reference spends under one of its budgets.

    Attributes:
        model, strategy: whose curve it is.
        budget: of the reference.
        tokens: that the reference spends there, mean of a sample.
        spent: that this strategy spends; fewer only where it is at its last budget.
        accuracy, accuracy_se: there, and its standard error clustered by problem.
        difference, difference_se: its accuracy less that of the reference, on the problems that both have.
        num_problems: that both have.
        is_reference: whether it is the reference itself.
    """

    model: str
    strategy: str
    budget: str
    tokens: float
    spent: float
    accuracy: float
    accuracy_se: float | None
    difference: float
    difference_se: float | None
    num_problems: int
    is_reference: bool


@dataclass(frozen=True, slots=True)
class _Point:
    """One budget of a curve: for each problem the mean of its samples."""

    setting: Setting
    tokens: Mapping[str, float]
    correct: Mapping[str, float]

    @property
    def mean_tokens(self) -> float:
        return fmean(self.tokens.values())


def at_equal_tokens(records: Iterable[Record], reference: str = DEFAULT_STRATEGY) -> list[AtTokens]:
    """Every strategy at the tokens that the reference spends under each of its budgets.

    The standard error takes into account that both the curve's tokens and the reference's are measured too (the delta
    method: a problem that takes more tokens than the mean moves the place at which the curve is read).

    Args:
        records: of a run, those with an error are left out.
        reference: a strategy that they have.

    Returns:
        By model, strategy and budget of the reference; the reference itself is among them.
        Nothing of a model without the reference, or with the reference alone.
    """
    curves = _curves(Records.of(records).graded())
    models = [model for model, strategy in curves if strategy == reference]
    others = {model for model, strategy in curves if strategy != reference}
    found = []
    for (model, _), curve in curves.items():
        if model in models and model in others:
            places = (_compared(curve, point) for point in curves[model, reference])
            found += [place for place in places if place is not None]
    return found


def _curves(records: Records) -> dict[tuple[str, str], list[_Point]]:
    """For each model and strategy its budgets, the smallest first."""
    curves: dict[tuple[str, str], list[_Point]] = {}
    for setting, group in by_setting(records).items():
        problems = group.by_problem()
        point = _Point(
            setting,
            {problem: fmean(spent_tokens(samples).tolist()) for problem, samples in problems.items()},
            {problem: fmean(samples["correct"].astype(float).tolist()) for problem, samples in problems.items()},
        )
        curves.setdefault((setting.model, setting.strategy), []).append(point)
    return {name: sorted(curve, key=lambda point: budget_order(point.setting.budget)) for name, curve in curves.items()}


def _compared(curve: Sequence[_Point], reference: _Point) -> AtTokens | None:
    shared = set(reference.tokens).intersection(*(point.tokens for point in curve))
    problems = [problem for problem in reference.tokens if problem in shared]
    if not problems:
        return None
    points = sorted((_means(point, problems) for point in curve), key=lambda point: point[0])
    at = _means(reference, problems)
    here = _between(points, at[0])
    if here is None:
        return None
    (low_tokens, low, before), (high_tokens, high, behind) = here
    width = high_tokens - low_tokens
    share = 0.0 if width == 0 else min(1.0, (at[0] - low_tokens) / width)
    slope = 0.0 if width == 0 or share == 1.0 else (high - low) / width
    accuracy, spent = low + share * (high - low), low_tokens + share * width
    own, less = [], []
    for (tokens_1, correct_1), (tokens_2, correct_2), (tokens, correct) in zip(before, behind, at[2], strict=True):
        moved = tokens - (1 - share) * tokens_1 - share * tokens_2  # the place at which the curve is read
        value = (1 - share) * correct_1 + share * correct_2 + slope * moved
        own.append([value])
        less.append([value - correct])
    return AtTokens(
        model=reference.setting.model,
        strategy=curve[0].setting.strategy,
        budget=str(reference.setting.budget),
        tokens=at[0],
        spent=spent,
        accuracy=accuracy,
        accuracy_se=clustered_se(own),
        difference=accuracy - at[1],
        difference_se=clustered_se(less),
        num_problems=len(problems),
        is_reference=curve[0].setting.strategy == reference.setting.strategy,
    )


_Means = tuple[float, float, list[tuple[float, float]]]
"""Mean tokens, mean accuracy, and both of each problem."""


def _means(point: _Point, problems: Sequence[str]) -> _Means:
    each = [(point.tokens[problem], point.correct[problem]) for problem in problems]
    return fmean(tokens for tokens, _ in each), fmean(correct for _, correct in each), each


def _between(points: Sequence[_Means], tokens: float) -> tuple[_Means, _Means] | None:
    """The two points of a curve between which so many tokens lie; the last one twice for more than it has."""
    if tokens < points[0][0]:
        return None
    for low, high in pairwise(points):
        if low[0] <= tokens < high[0]:
            return low, high
    return points[-1], points[-1]
