"""Accuracy and tokens in one number: OckScore and E³.

    ock_score(0.415, 5003)      # 39.74, as the leaderboard of OckBench prints it
    e3(0.9, 2000)               # 4.05
    efficiency(records["correct"], spent_tokens(records), records["problem"])      # both, with standard errors

Both are functions of two means, the share of correct samples and the sampled tokens of a sample, so that their
standard errors come from the jackknife over problems, which sees that hard problems are long and wrong at once.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.analysis.errorbars import Estimate, jackknife, sums_by_cluster

LEAST = 1e-9
"""Tokens that stand for none, so that nothing is divided by 0."""


class Efficiency(NamedTuple):
    """Of one setting; `None` where nothing was graded, or E³ where no token was sampled."""

    ock_score: Estimate | None
    e3: Estimate | None


def ock_score(accuracy: Any, tokens: Any) -> Any:
    """100 A - 10 log10(T / 10000 + 1), for a share A of correct samples and T output tokens a sample, mean.

    Du et al. 2025 ("OckBench", arXiv 2511.05722). The text of their page leaves out the + 1 and the base; the rows of
    their leaderboard are this formula, with output tokens. Their program computes it with the natural logarithm and
    with the prompt's tokens in T: scores that it prints are lower. Far below 10,000 tokens it is the accuracy.
    """
    return 100 * accuracy - 10 * np.log10(tokens / 10_000 + 1)


def e3(accuracy: Any, tokens: Any) -> Any:
    """(100 A)^2 / T: E³, efficiency-aware effectiveness, A times the accuracy that a token buys.

    Lin et al. 2025 ("Plan and Budget", arXiv 2505.16122): A^2 / T for the mean score A and the mean of completion
    tokens T. That is from summaries, for the paper's text could not be read; A is in percent as in their program.
    """
    return (100 * accuracy) ** 2 / tokens


def efficiency(correct: NDArray[Any], tokens: NDArray[Any], problems: NDArray[Any]) -> Efficiency:
    """Both numbers of the samples of one setting: [samples] each, with the number of the problem they belong to."""
    if not len(correct):
        return Efficiency(None, None)
    sums = sums_by_cluster(np.stack([correct, tokens, np.ones(len(correct))], axis=1), problems)

    def scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        accuracy, mean = sums[..., 0] / sums[..., 2], sums[..., 1] / sums[..., 2]
        return np.stack([ock_score(accuracy, mean), e3(accuracy, np.maximum(mean, LEAST))], axis=-1)

    ock, e = jackknife(sums, scores)
    return Efficiency(ock, e if tokens.any() else None)
