import math
import random
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.rollouts.advantages import group_advantages, thinking_advantages, whitening

rewards_of_a_group = st.lists(st.floats(-2, 2), min_size=2, max_size=16)


@given(rewards_of_a_group)
def test_a_group_is_compared_with_its_mean(rewards: list[float]) -> None:
    advantages = group_advantages(rewards)
    assert advantages == pytest.approx([(r - mean(rewards)) / (stdev(rewards) + 1e-4) for r in rewards], abs=1e-9)
    assert math.fsum(advantages) == pytest.approx(0, abs=1e-6)
    assert group_advantages(rewards, normalised=False) == pytest.approx([r - mean(rewards) for r in rewards])


@given(rewards_of_a_group, st.integers(0, 15))
def test_a_rollout_without_a_reward_counts_nowhere(rewards: list[float], where: int) -> None:
    where = min(where, len(rewards))
    advantages = group_advantages([*rewards[:where], None, *rewards[where:]])
    assert advantages.pop(where) == 0.0
    assert advantages == group_advantages(rewards)


def test_groups_that_tell_nothing() -> None:
    assert group_advantages([None, None]) == [0.0, 0.0]
    assert group_advantages([1.0, None]) == [0.0, 0.0]
    assert group_advantages([1.0, 1.0]) == [0.0, 0.0]


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=40))
def test_a_whitened_batch_has_mean_0_and_variance_1(values: list[float]) -> None:
    average, scale = whitening(len(values), math.fsum(values), math.fsum(v**2 for v in values))
    assert average == pytest.approx(mean(values), abs=1e-9)
    assert scale == pytest.approx(math.sqrt(stdev(values) ** 2 + 1e-8), rel=1e-6, abs=1e-6)


def test_a_batch_that_tells_nothing_is_whitened_to_nothing() -> None:
    assert whitening(0, 0.0, 0.0) == (0.0, 1e-4)
    average, scale = whitening(5, 5.0, 5.0)
    assert (1.0 - average) / scale == 0.0


def test_weights_of_0_leave_a_cut_to_the_baseline() -> None:
    """AR-base: only the last answer counts, and the earlier ones are what it is compared with."""
    advantages = thinking_advantages([[0.0, 1.0], [1.0, 1.0]], (0.0, 1.0))
    assert advantages[0] == pytest.approx([0.0, 1.0 - (0.5 * 0.0 + 0.5 * 1.0)])
    assert advantages[1] == pytest.approx([0.0, 0.0])


def test_two_thinkings_by_hand() -> None:
    """Two cuts of equal weight. The first thinking is right at the second cut alone, the other at both."""
    advantages = thinking_advantages([[0.0, 1.0], [1.0, 1.0]], (1.0, 1.0))
    assert advantages[0][0] == pytest.approx(0.5 - 0.75)  # before the first cut: R = 1/2, others 3/4
    assert advantages[1][0] == pytest.approx(1.0 - 0.75)
    assert advantages[0][1] == pytest.approx(0.5 - (0.5 * 0.5 * 0.0 + 0.5 * 0.5))  # improved: half of V is what it had
    assert advantages[1][1] == pytest.approx(0.5 - (0.5 * 0.5 * 1.0 + 0.5 * 0.5))


def reference(rewards: list[list[float]], weights: list[float]) -> list[list[float]]:
    """The formulas as they stand in the docstring, once more."""
    p = [w / sum(weights) for w in weights]
    m = len(p)
    returns = [[sum(p[k] * row[k] for k in range(j, m)) for j in range(m)] for row in rewards]
    result = []
    for i, row in enumerate(rewards):
        line = []
        for j in range(m):
            v2 = sum(other[j] for other in returns) / len(rewards)
            decays = [0.5 ** (j - k) for k in range(j)]
            v1 = sum(p[j:]) * sum(d * row[k] for k, d in enumerate(decays)) / sum(decays) if j else 0.0
            line.append(returns[i][j] - (j / m * v1 + (1 - j / m) * v2))
        result.append(line)
    return result


@given(st.integers(1, 5), st.integers(1, 8), st.randoms(use_true_random=False))
def test_thinking_is_compared_with_itself_and_with_others(cuts: int, samples: int, rng: random.Random) -> None:
    rewards = [[rng.choice([0.0, 1.0]) for _ in range(cuts)] for _ in range(samples)]
    weights = [rng.uniform(0.1, 3) for _ in range(cuts)]
    advantages = thinking_advantages(rewards, weights)
    for line, wanted in zip(advantages, reference(rewards, weights), strict=True):
        assert line == pytest.approx(wanted, abs=1e-12)
    assert sum(line[0] for line in advantages) == pytest.approx(0, abs=1e-12)


def test_one_cut_is_the_centred_group() -> None:
    rewards = [0.0, 1.0, 1.0, 0.5]
    advantages = thinking_advantages([[r] for r in rewards], (2.0,))
    assert [line[0] for line in advantages] == pytest.approx(group_advantages(rewards, normalised=False))


def test_a_thinking_without_all_its_rewards_is_left_out() -> None:
    whole = thinking_advantages([[0.0, 1.0], [1.0, 1.0]], (1.0, 1.0))
    assert thinking_advantages([[0.0, 1.0], [None, 1.0], [1.0, 1.0]], (1.0, 1.0)) == [whole[0], [0.0, 0.0], whole[1]]
    assert thinking_advantages([[None, 1.0]], (1.0, 1.0)) == [[0.0, 0.0]]
