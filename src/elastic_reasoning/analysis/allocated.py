"""What an allocation of tokens reaches, beside one budget for all that takes as many.

found = measure(own, uniform, seen)
found.accuracy, found.uniform_accuracy, found.difference, found.difference_se
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from elastic_reasoning.analysis.allocation import Thinkings
from elastic_reasoning.analysis.equal_tokens import at_equal_tokens
from elastic_reasoning.analysis.oracle import Units, most_correct
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.columns import Records


@dataclass(frozen=True, slots=True)
class Reached:
    """What an allocation reaches.

    Attributes:
        tokens: sampled, a sample.
        accuracy, accuracy_se: share of correct samples, and its standard error clustered by problem.
        uniform_accuracy: of one budget for all with as many tokens, a mixture of the two nearest ones.
        difference, difference_se: accuracy less that, paired by problem.
        bound: share of right answers of whoever knew which place makes each thinking right, with as many tokens.
        num_problems: measured.
    """

    tokens: float
    accuracy: float
    accuracy_se: float
    uniform_accuracy: float
    difference: float
    difference_se: float
    bound: float
    num_problems: int

    @property
    def is_better(self) -> bool:
        """Whether it beats one budget for all by more than two standard errors."""
        return self.difference > 2 * self.difference_se


def measure(own: Records, uniform: Records, seen: Thinkings) -> Reached:
    """Measure an allocation.

    Args:
        own: its records.
        uniform: those of one budget for all, at several budgets, on the same problems.
        seen: the same as thinkings.

    Raises:
        RecordsError: it spends fewer tokens than the smallest budget, or there are fewer than two problems.
    """
    strategies = own.settings[0].strategy, uniform.settings[0].strategy
    points = {point.strategy: point for point in at_equal_tokens([*own, *uniform], strategies[0])}
    if points.keys() != {*strategies}:
        raise RecordsError(
            f"{own['num_spent_tokens'].mean():.1f} tokens a sample are fewer than the smallest budget takes: sweep a "
            "smaller one"
        )
    ours, others = (points[strategy] for strategy in strategies)
    if ours.accuracy_se is None or others.difference_se is None:
        raise RecordsError(f"{ours.num_problems} problem to measure on: at least 2 are needed")
    return Reached(
        tokens=ours.tokens,
        accuracy=ours.accuracy,
        accuracy_se=ours.accuracy_se,
        uniform_accuracy=others.accuracy,
        difference=-others.difference,
        difference_se=others.difference_se,
        bound=most_correct(Units(seen.correct, seen.tokens), ours.tokens * len(seen.keys)) / len(seen.keys),
        num_problems=ours.num_problems,
    )


def of_problems(records: Records, problems: Collection[str], num_samples: int) -> Records:
    """The first samples of some problems."""
    keys = records.keys()
    chosen = (problem in problems and sample < num_samples for _, _, _, problem, sample in keys)
    return records.where(np.fromiter(chosen, np.bool_))
