"""How much better a rollout was than the others of its prompt.

    group_advantages([1.0, 0.0, None, 1.0])        # of one prompt; None is a rollout without a reward

Under anytime training one thinking is answered at several budgets; then thinking and solutions have advantages of
their own (`thinking_advantages`, and `group_advantages` of the answers at one budget).
"""

import math
from collections.abc import Sequence
from statistics import fmean

EPSILON = 1e-4
"""Added to the standard deviation, as in TRL and verl."""
LEAST_VARIANCE = 1e-8
"""Added to the variance of a batch, as in verl."""
DECAY = 0.5
"""Of the weight of earlier budgets in the baseline of thinking, for each budget further back."""


def group_advantages(rewards: Sequence[float | None], normalised: bool = True) -> list[float]:
    """Rewards less their mean, over their standard deviation (GRPO, Shao et al. 2024, arXiv 2402.03300).

    Args:
        rewards: of the samples of one prompt; those that are `None` do not count and get 0.
        normalised: divide by the sample standard deviation; without it as in Liu et al. 2025, arXiv 2503.20783.
    """
    known = [reward for reward in rewards if reward is not None]
    if not known:
        return [0.0] * len(rewards)
    mean, scale = fmean(known), _deviation(known) + EPSILON if normalised else 1.0
    return [0.0 if reward is None else (reward - mean) / scale for reward in rewards]


def _deviation(values: Sequence[float]) -> float:
    """The sample standard deviation; infinite for one value, which tells nothing of a group."""
    if len(values) < 2:
        return math.inf
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def whitening(num: float, total: float, squares: float) -> tuple[float, float]:
    """What to take from advantages, and what to divide them by, so that those of a batch have mean 0 and variance 1.

    Of advantages that are already centred within each prompt, over all tokens that a step learns from: REINFORCE++ with
    a baseline (Hu et al. 2025, arXiv 2501.03262), which DLER takes (Liu et al. 2025, arXiv 2510.15110). A prompt with
    noisy rewards then does not have a scale of its own.

    Args:
        num, total, squares: how many tokens there are, and the sums of their advantages and of the squares of these.
    """
    mean = total / max(num, 1.0)
    variance = max(0.0, squares - num * mean**2) / max(num - 1.0, 1.0)
    return mean, math.sqrt(variance + LEAST_VARIANCE)


def thinking_advantages(rewards: Sequence[Sequence[float | None]], weights: Sequence[float]) -> list[list[float]]:
    """Budget-relative advantages of thinking (BRPO, Qi et al. 2025, arXiv 2505.13438).

    The tokens of a thinking between cut j-1 and cut j can change the answers at j and later, which earn
    R_j = sum_{k>=j} P_k r_k. Their baseline mixes what the same thinking had earned at earlier cuts, which they
    cannot change, with what all thinkings of the prompt earn from here on:

        V_j = (j/m) V1_j + (1 - j/m) V2_j                     for j = 0 .. m-1
        V1_j = (sum_{k>=j} P_k) sum_{k<j} c^(j-k) r_k / sum_{k<j} c^(j-k)
        V2_j = mean of R_j over the thinkings of the prompt

    with c = 0.5. The advantage is R_j - V_j. It is not divided by a standard deviation: where all thinkings of a
    prompt earn alike, V1 still tells them apart, and nothing would be the scale.

    Args:
        rewards: `[thinkings][cuts]`, cuts by ascending budget; a thinking with a `None` does not count and gets 0.
        weights: of each cut; scaled to the P_k, whose sum is 1 `[cuts]`.

    Returns:
        The advantage of the tokens before each cut and after the one before it `[thinkings][cuts]`.
    """
    shares = [weight / math.fsum(weights) for weight in weights]
    num_cuts = len(shares)
    whole = {i: [reward for reward in row if reward is not None] for i, row in enumerate(rewards) if None not in row}
    result = [[0.0] * num_cuts for _ in rewards]
    for j in range(num_cuts):
        earned = {i: math.fsum(p * r for p, r in zip(shares[j:], row[j:], strict=True)) for i, row in whole.items()}
        if not earned:
            continue
        others = fmean(earned.values())
        decays = [DECAY ** (j - k) for k in range(j)]
        for i, row in whole.items():
            before = math.fsum(d * r for d, r in zip(decays, row, strict=False)) / math.fsum(decays) if j else 0.0
            baseline = j / num_cuts * before * math.fsum(shares[j:]) + (1 - j / num_cuts) * others
            result[i][j] = earned[i] - baseline
    return result
