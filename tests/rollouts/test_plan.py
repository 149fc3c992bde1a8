from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, TrainingError
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.rollouts.plan import BudgetRange, Plan, exits


def plan(seed: int = 0, **settings: Any) -> Plan:
    return Plan(RolloutConfig(**settings), num_steps=10, seed=seed)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("24+20", Budget(24, 20), Budget(24, 20)),
        ("8..96+20", Budget(8, 20), Budget(96, 20)),
        ("100..4000+0", Budget(100, 0), Budget(4000, 0)),
        ("8..16+4..8", Budget(8, 4), Budget(16, 8)),
        ("inf+20", Budget(None, 20), Budget(None, 20)),
    ],
)
def test_a_range_is_read(text: str, low: Budget, high: Budget) -> None:
    found = BudgetRange.parse(text)
    assert (found.low, found.high, found.exact) == (low, high, low == high)


@pytest.mark.parametrize("text", ["8..+20", "96..8+20", "1..2..3+20", "8..inf+20", "8..96", "a..b+1", ""])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BudgetError) as refusal:
        BudgetRange.parse(text)
    assert "\n" not in str(refusal.value)


def test_a_fixed_budget_is_everyones() -> None:
    assigned = {plan().assign(step, group) for step in range(10) for group in range(16)}
    assert [(a.strategy, a.budgets) for a in assigned] == [("elastic", (Budget(24, 20),))]


@given(st.integers(0, 5), st.integers(0, 1000), st.integers(0, 1000))
def test_a_random_budget_lies_in_its_range_and_never_changes(seed: int, step: int, group: int) -> None:
    drawn = plan(plan="random", budgets=("8..96+4..20",), seed=seed)
    (budget,) = drawn.assign(step, group).budgets
    assert 8 <= (budget.thinking or 0) <= 96
    assert 4 <= (budget.solution or 0) <= 20
    assert plan(plan="random", budgets=("8..96+4..20",), seed=seed).assign(step, group).budgets == (budget,)


def test_random_budgets_are_uniform_and_weights_count() -> None:
    uniform = plan(plan="random", budgets=("1..4+20",))
    counts = Counter(uniform.assign(0, group).budgets[0].thinking for group in range(4000))
    assert all(abs(counts[t] - 1000) < 150 for t in (1, 2, 3, 4))
    weighted = plan(plan="random", budgets=("8+20", "64+20"), weights=(3.0, 1.0))
    counts = Counter(weighted.assign(0, group).budgets[0].thinking for group in range(4000))
    assert abs(counts[8] - 3000) < 150


def test_a_curriculum_gives_each_budget_an_equal_share_of_the_steps() -> None:
    stages = plan(plan="curriculum", budgets=("96+20", "48+20", "24+20"))
    thinking = [stages.assign(step, 0).budgets[0].thinking for step in range(10)]
    assert thinking == [96, 96, 96, 96, 48, 48, 48, 24, 24, 24]


def test_anytime_cuts_every_thinking_at_every_budget() -> None:
    cuts = plan(plan="anytime", budgets=("8+20", "24+20", "inf+20"))
    assert cuts.assign(3, 4).budgets == (Budget(8, 20), Budget(24, 20), Budget(None, 20))
    assert cuts.config.num_cuts == 3
    assert cuts.config.rollouts_per_prompt == 3 * 16


def test_a_cut_may_have_several_answers_and_a_weight_of_0() -> None:
    config = plan(
        plan="anytime", budgets=("8+20", "24+20"), weights=(0.0, 1.0), answers_per_cut=4, samples_per_prompt=8
    ).config
    assert (config.num_cuts, config.rollouts_per_thinking, config.rollouts_per_prompt) == (2, 8, 64)


def test_a_serial_plan_has_one_budget_and_an_exit_more_than_it_draws() -> None:
    serial = plan(plan="serial", budgets=("96+20",), num_exits=8, samples_per_prompt=2)
    assert serial.assign(3, 4).budgets == (Budget(96, 20),)
    assert (serial.config.num_cuts, serial.config.rollouts_per_prompt) == (9, 18)


def request(seed: int = 0, sample: int = 0) -> Request:
    return Request(Prompt((), Thinking.OPEN), Budget(96, 20), sampling=Sampling(seed=seed), sample=sample)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 20), st.integers(0, 200))
def test_exits_ascend_within_the_thinking_and_never_change(seed: int, sample: int, num: int, length: int) -> None:
    places = exits(request(seed, sample), num, length)
    assert len(places) == num
    assert list(places) == sorted(places)
    assert all(min(1, length) <= place <= length for place in places)
    assert places == exits(request(seed, sample), num, length)


def test_exits_are_uniform_and_differ_between_samples() -> None:
    counts = Counter(place for sample in range(500) for place in exits(request(sample=sample), 8, 4))
    assert all(abs(counts[place] - 1000) < 150 for place in (1, 2, 3, 4))
    assert exits(request(sample=0), 8, 100) != exits(request(sample=1), 8, 100)


def test_strategies_are_drawn_for_each_prompt() -> None:
    both = plan(strategies=("l1-exact", "l1-max"))
    counts = Counter(both.assign(0, group).strategy for group in range(2000))
    assert abs(counts["l1-exact"] - 1000) < 100


def test_validation_is_at_the_ends_of_ranges_unless_told() -> None:
    assert [a.budgets[0].thinking for a in plan(plan="random", budgets=("8..96+20", "24+20")).validation()] == [
        8,
        96,
        24,
    ]
    told = plan(validation_budgets=("8+20", "64+20"), strategies=("elastic", "s1")).validation()
    assert [(a.strategy, a.budgets[0].thinking) for a in told] == [
        ("elastic", 8),
        ("elastic", 64),
        ("s1", 8),
        ("s1", 64),
    ]


def test_the_largest_budget() -> None:
    assert plan(plan="random", budgets=("8..96+20", "24+120")).largest == 144
    assert plan(budgets=("inf+20",)).largest is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"plan": "randon"}, "unknown plan 'randon': did you mean 'random'"),
        ({"budgets": ()}, "none was given"),
        ({"budgets": ("8+20", "24+20")}, "plan 'fixed' has one budget"),
        ({"budgets": ("8..24+20",)}, "plan 'fixed' has one budget"),
        ({"plan": "anytime"}, "give two or more"),
        ({"plan": "anytime", "budgets": ("24+20", "8+20")}, "ascending budgets"),
        ({"plan": "anytime", "budgets": ("8+20", "8+12")}, "ascending budgets"),
        ({"plan": "anytime", "budgets": ("8+20", "16..24+20")}, "ascending budgets"),
        ({"plan": "anytime", "budgets": ("8+20", "24+20"), "strategies": ("s1",)}, "needs strategy elastic, not s1"),
        ({"plan": "curriculum", "weights": (1.0,)}, "weights mean nothing to plan 'curriculum'"),
        ({"plan": "random", "weights": (1.0, 2.0)}, "a number for each of 1 budgets, 0 or more"),
        ({"plan": "random", "weights": (0.0,)}, "not 0 for all"),
        ({"plan": "anytime", "budgets": ("8+20", "24+20"), "weights": (1.0, -1.0)}, "0 or more"),
        ({"plan": "serial", "budgets": ("8+20", "24+20")}, "plan 'serial' has one budget"),
        ({"plan": "serial", "strategies": ("vanilla",)}, "plan 'serial' needs strategy elastic, not vanilla"),
        ({"answers_per_cut": 4}, "answers_per_cut means nothing to plan 'fixed'"),
        ({"plan": "serial", "answers_per_cut": 4}, "answers_per_cut means nothing to plan 'serial'"),
    ],
)
def test_plans_that_are_none_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainingError) as refusal:
        plan(**changes)
    assert says in str(refusal.value)
