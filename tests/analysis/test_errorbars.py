import random
from math import sqrt
from statistics import mean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.analysis.errorbars import (
    Estimate,
    clustered_se,
    interval,
    jackknife,
    paired_means,
    sums_by_cluster,
)

CLUSTERS = st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=5), min_size=2, max_size=12)


def brute_force_se(clusters: list[list[float]]) -> float:
    """Every pair of samples of one problem, in a double loop."""
    n = sum(map(len, clusters))
    average = sum(map(sum, clusters)) / n
    pairs = sum((a - average) * (b - average) for cluster in clusters for a in cluster for b in cluster)
    return sqrt(len(clusters) / (len(clusters) - 1) * max(0.0, pairs)) / n


def made_up(seed: int, num_clusters: int = 25) -> list[list[float]]:
    rng = random.Random(seed)
    return [
        [float(rng.random() < ease) for _ in range(rng.randrange(1, 7))]
        for ease in (rng.random() for _ in range(num_clusters))
    ]


@given(CLUSTERS)
def test_clustered_se_is_that_of_a_double_loop(clusters: list[list[float]]) -> None:
    assert clustered_se(clusters) == pytest.approx(brute_force_se(clusters), rel=1e-9, abs=1e-7)


def test_clustered_se_covers_the_truth() -> None:
    """Of many made-up sweeps, about 95 % have the true accuracy within 1.96 standard errors."""
    rng = random.Random(0)
    num_covered = 0
    for _ in range(1000):
        clusters = [[float(rng.random() < ease)] * rng.choice([1, 4]) for ease in [0.3, 0.6] * 60]
        accuracy = sum(map(sum, clusters)) / sum(map(len, clusters))
        num_covered += abs(accuracy - 0.45) < 1.96 * (clustered_se(clusters) or 0)
    assert 920 <= num_covered <= 975


def test_clustered_se_is_that_of_a_bootstrap_over_problems() -> None:
    clusters, rng = made_up(1, num_clusters=60), random.Random(2)
    means = []
    for _ in range(4000):
        drawn = rng.choices(clusters, k=len(clusters))
        means.append(sum(map(sum, drawn)) / sum(map(len, drawn)))
    assert clustered_se(clusters) == pytest.approx(stdev(means), rel=0.05)


def test_clustered_se_of_single_samples_is_the_usual_one() -> None:
    grades = [1.0, 0.0, 1.0, 1.0, 0.0]
    assert clustered_se([[grade] for grade in grades]) == pytest.approx(stdev(grades) / sqrt(5))


def test_samples_that_are_copies_add_no_certainty() -> None:
    grades = [1.0, 0.0, 1.0, 1.0, 0.0]
    assert clustered_se([[grade] * 8 for grade in grades]) == pytest.approx(stdev(grades) / sqrt(5))


@pytest.mark.parametrize("clusters", [[], [[1.0, 0.0]]])
def test_clustered_se_of_fewer_than_two_problems_is_not_known(clusters: list[list[float]]) -> None:
    assert clustered_se(clusters) is None


def test_problems_that_agree_have_a_standard_error_of_exactly_nothing() -> None:
    assert clustered_se([[0.1, 0.2, 0.3]] * 7) == 0


def test_paired_means_are_those_of_the_differences() -> None:
    rng = random.Random(3)
    a = [[rng.random() for _ in range(3)] for _ in range(20)]
    b = [[rng.random() for _ in range(2)] for _ in range(20)]
    differences = [mean(after) - mean(before) for before, after in zip(a, b, strict=True)]
    means = paired_means(a, b)
    assert means.difference == pytest.approx(mean(differences)) == pytest.approx(means.b - means.a)
    assert means.se == pytest.approx(stdev(differences) / sqrt(20))


def test_the_standard_error_of_a_paired_difference_is_that_of_a_bootstrap_over_problems() -> None:
    rng = random.Random(4)
    a = made_up(5, num_clusters=80)
    b = [[grade if rng.random() < 0.7 else 1.0 for grade in cluster] + [1.0] for cluster in a]
    differences = []
    for _ in range(3000):
        drawn = rng.choices(range(80), k=80)
        differences.append(paired_means([a[n] for n in drawn], [b[n] for n in drawn]).difference)
    assert paired_means(a, b).se == pytest.approx(stdev(differences), rel=0.06)


def test_a_setting_beside_itself_differs_by_exactly_nothing() -> None:
    clusters = made_up(6)
    assert (paired_means(clusters, clusters).difference, paired_means(clusters, clusters).se) == (0, 0)


@given(CLUSTERS)
def test_an_interval_holds_the_share_and_stays_within_0_and_1(clusters: list[list[float]]) -> None:
    share = sum(map(sum, clusters)) / sum(map(len, clusters))
    low, high = interval(share, clustered_se(clusters) or 0.0, len(clusters))
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert low < high


def test_intervals_cover_the_truth_also_near_1_and_with_few_problems() -> None:
    """Where share ± 1.96 standard errors covers 86 % of it."""
    rng, covered = random.Random(0), 0
    for _ in range(1000):
        eases = [rng.betavariate(0.95 * 1.5, 0.05 * 1.5) for _ in range(30)]
        clusters = [[float(rng.random() < ease) for _ in range(4)] for ease in eases]
        share = sum(map(sum, clusters)) / 120
        low, high = interval(share, clustered_se(clusters) or 0.0, 30)
        covered += low <= 0.95 <= high
    assert 900 <= covered <= 975


def test_an_interval_is_wilsons() -> None:
    """81 of 263, Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3."""
    share = 81 / 263
    low, high = interval(share, sqrt(share * (1 - share) / 263), 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert interval(0.0, 0.0, 20) == (0.0, pytest.approx(0.1611, abs=5e-5))


@given(CLUSTERS)
def test_the_jackknife_of_a_mean_over_equally_large_clusters_is_the_clustered_error(
    clusters: list[list[float]],
) -> None:
    equal = [[cluster[0]] * 2 for cluster in clusters]
    sums = np.array([[sum(cluster), len(cluster)] for cluster in equal])
    (found,) = jackknife(sums, lambda sums: sums[..., :1] / sums[..., 1:])
    assert found.value == pytest.approx(mean(value for cluster in equal for value in cluster))
    assert found.se == pytest.approx(clustered_se(equal), abs=1e-9)


def test_the_jackknife_of_one_cluster_has_no_error() -> None:
    assert jackknife(np.array([[3.0, 4.0]]), lambda sums: sums) == [Estimate(3.0, None), Estimate(4.0, None)]


def test_sums_by_cluster_are_in_the_order_of_the_numbers() -> None:
    sums = sums_by_cluster(np.array([[1, 10], [2, 20], [4, 40]]), np.array([7, 3, 7]))
    assert sums.tolist() == [[2, 20], [5, 50]]


def test_the_jackknife_is_the_same_to_the_last_bit_in_whichever_order_problems_come() -> None:
    chance = np.random.default_rng(0)
    sums = chance.random((300, 3))
    found = {tuple(jackknife(chance.permutation(sums), lambda each: each[..., :2] / each[..., 2:])) for _ in range(20)}
    assert len(found) == 1
