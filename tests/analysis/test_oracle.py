from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.analysis.oracle import PRECISION, Units, choose, gains, held_out, hindsight, mixed
from make_ladder import make_ladder

UNITS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), min_size=3, max_size=3), min_size=1, max_size=5
)


def units_of(drawn: list[list[tuple[int, int]]]) -> Units:
    values = np.array(drawn, float)
    return Units(values[..., 0], values[..., 1])


def spent(units: Units, budget: int) -> tuple[float, float]:
    """Correct samples and tokens of what is chosen."""
    choice, rows = choose(units, float(units.tokens[:, budget].sum())), np.arange(len(units.tokens))
    correct, tokens = (
        (1 - choice.share) * values[rows, choice.cheap].sum() + choice.share * values[rows, choice.dear].sum()
        for values in (units.correct, units.tokens)
    )
    return correct, tokens


@given(UNITS, st.integers(0, 2))
def test_no_choice_of_budgets_is_better_and_the_tokens_are_kept(
    drawn: list[list[tuple[int, int]]], budget: int
) -> None:
    units = units_of(drawn)
    allowed = units.tokens[:, budget].sum()
    correct, tokens = spent(units, budget)
    assert tokens <= allowed + 1e-6
    rows = np.arange(len(drawn))
    every = [np.array(places) for places in product(range(3), repeat=len(drawn))]
    best = max(units.correct[rows, p].sum() for p in every if units.tokens[rows, p].sum() <= allowed)
    assert correct >= best - 2 * PRECISION * len(drawn)
    # and not more than mixtures of choices can reach: the dual is an upper bound at any price, here at the chosen one
    price = choose(units, float(units.tokens[:, budget].sum())).price
    dual = (units.correct - price * units.tokens).max(axis=1).sum() + price * allowed
    assert correct == pytest.approx(dual, abs=2e-6 * len(drawn))
    assert gains(units, units)[:, budget].sum() == pytest.approx(correct - units.correct[:, budget].sum(), abs=1e-5)


def test_hindsight_takes_the_smallest_budget_that_is_right() -> None:
    ladder = make_ladder([[0, 0, 1], [1, 1, 1], [0, 0, 0]], tokens=[[10, 20, 40]] * 3)
    gain = hindsight(ladder).sum(axis=0)
    assert gain[0] == pytest.approx(0, abs=1e-6)
    assert gain[1] == pytest.approx(1, abs=1e-5)  # 10 + 10 + 40 of 60 tokens
    assert gain[2] == pytest.approx(0, abs=1e-6)


def simulated(rng: np.random.Generator, ease: np.ndarray, num_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Held-out and hindsight gains, mean over samples, of problems that are right so often at each budget."""
    chances = ease.repeat(num_samples, axis=0)
    problems = np.arange(len(ease)).repeat(num_samples)
    ladder = make_ladder(rng.random(chances.shape) < chances, tokens=[10, 20, 40], problems=problems)
    terms, nums = held_out(ladder)
    return terms.sum(axis=0) / nums.sum(), hindsight(ladder).mean(axis=0)


def test_where_problems_are_all_alike_knowing_them_gains_nothing() -> None:
    rng = np.random.default_rng(0)
    ease = np.tile([0.2, 0.5, 0.6], (40, 1))
    found = np.array([simulated(rng, ease, 4) for _ in range(60)])
    known, luck = found.mean(axis=0)
    assert known.max() < 0.02  # what mixing two budgets gains over one between them is not knowledge, and is little
    assert luck[1] > 0.15


def test_what_is_known_of_a_problem_comes_near_what_is_true_of_it() -> None:
    """Half of the problems are solved at once, half by the largest budget alone."""
    rng = np.random.default_rng(1)
    ease = np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.9]] * 20)
    found = np.array([simulated(rng, ease, 8)[0] for _ in range(20)]).mean(axis=0)
    truth = Units(ease, np.tile([10.0, 20.0, 40.0], (40, 1)))
    true = gains(truth, truth).mean(axis=0)
    # 800 tokens: 10 for each easy problem leave 600, which are 40 for two thirds of the hard ones and 10 for the rest
    assert true[1] == pytest.approx(0.8 * 2 / 3 / 2, abs=1e-5)
    assert found[1] == pytest.approx(true[1], abs=0.02)


def test_problems_with_one_sample_are_left_out() -> None:
    ladder = make_ladder([[0, 1], [1, 1], [0, 1]], problems=[0, 0, 1])
    terms, nums = held_out(ladder)
    assert terms.shape == (1, 2)
    assert nums.tolist() == [2]
    assert held_out(make_ladder([[0, 1], [1, 1]]))[0].shape == (0, 2)


def test_by_lot_two_budgets_beat_one_between_them_where_accuracy_is_not_concave() -> None:
    ladder = make_ladder([[0, 0, 1]] * 4, tokens=[[10, 20, 40]] * 4)
    assert mixed(ladder).mean(axis=0) == pytest.approx([0, 1 / 3, 0], abs=1e-5)  # a third gets 40 tokens, the rest 10
    concave = make_ladder([[0, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 1]], tokens=[[10, 20, 40]] * 4)
    assert mixed(concave).mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-5)
