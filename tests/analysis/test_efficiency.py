import numpy as np
import pytest

from elastic_reasoning.analysis.efficiency import Efficiency, e3, efficiency, ock_score
from elastic_reasoning.analysis.errorbars import Estimate


@pytest.mark.parametrize(
    ("accuracy", "tokens", "printed"),
    [(0.755, 24765, 70.09), (0.415, 5003, 39.74), (0.035, 947, 3.11), (0.01, 61040, -7.52)],
)
def test_ock_score_is_what_the_leaderboard_prints(accuracy: float, tokens: int, printed: float) -> None:
    """Four rows of OckBench's leaderboard."""
    assert ock_score(accuracy, tokens) == pytest.approx(printed, abs=0.005)


def test_e3_is_the_square_of_percents_by_tokens() -> None:
    assert e3(0.9, 2000) == pytest.approx(90**2 / 2000)
    score = efficiency(np.array([True, False]), np.array([30, 50]), np.array([0, 1])).e3
    assert score is not None
    assert score.value == pytest.approx(50**2 / 40)


def test_of_nothing_nothing_is_said() -> None:
    none = np.array([], int)
    assert efficiency(none.astype(bool), none, none) == Efficiency(None, None)
    found = efficiency(np.array([True]), np.array([0]), np.array([3]))
    assert found == Efficiency(Estimate(100.0, None), None)


def test_errors_are_those_of_many_runs() -> None:
    """Hard problems are long and wrong at once: the spread over made-up runs is what each run says of itself."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        ease = rng.random(60).repeat(3)
        correct = rng.random(180) < ease
        tokens = (2000 + 30_000 * (1 - ease) * rng.random(180)).astype(int)
        found.append(efficiency(correct, tokens, np.arange(60).repeat(3)))
    for each in zip(*found, strict=True):
        values, errors = np.array([e for e in each if e is not None], float).T
        assert errors.mean() == pytest.approx(values.std(), rel=0.1)
