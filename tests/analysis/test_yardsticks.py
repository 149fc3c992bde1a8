from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from elastic_reasoning.analysis.errorbars import Estimate
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.yardsticks import Step, Yardsticks, yardsticks, yardsticks_of
from make_ladder import make_ladder
from make_records import make_records

RECORDS = make_records(num_problems=20, num_samples=2, budgets=("8+20", "24+20", "96+20"))


def find(found: list[Yardsticks], model: str = "mini", strategy: str = "elastic") -> Yardsticks:
    return next(each for each in found if (each.model, each.strategy) == (model, strategy))


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def test_there_is_one_of_each_model_and_strategy_with_several_budgets() -> None:
    found = yardsticks(RECORDS)
    assert [(each.model, each.strategy) for each in found] == [
        (model, strategy) for model in ("mini", "mini-e1") for strategy in ("elastic", "vanilla", "s1")
    ]
    assert all(
        (each.num_problems, each.num_samples, each.num_left_out, each.num_unshared) == (20, 40, 0, 0) for each in found
    )
    assert [step.budget for step in find(found).steps] == ["8+20", "24+20", "96+20"]
    assert yardsticks([]) == []


def test_a_step_agrees_with_the_table() -> None:
    rows = {(row.model, row.strategy, row.budget): row for row in summarise(RECORDS)}
    for each in yardsticks(RECORDS):
        for step in each.steps:
            row = rows[each.model, each.strategy, step.budget]
            assert step.accuracy == (pytest.approx(row.accuracy), pytest.approx(row.accuracy_se))
            assert step.ock_score == (pytest.approx(row.ock_score), pytest.approx(row.ock_score_se))
            assert step.e3 == (pytest.approx(row.e3), pytest.approx(row.e3_se))
            assert value(step.tokens) == pytest.approx(row.mean_total_tokens)


def test_the_last_budget_has_no_next_and_accuracies_differ_by_what_was_mended_less_what_was_spoiled() -> None:
    steps = find(yardsticks(RECORDS)).steps
    assert steps[-1].starved is steps[-1].spoiled is None
    for step, following in pairwise(steps):
        accuracy, after, starved, spoiled = map(value, (step.accuracy, following.accuracy, step.starved, step.spoiled))
        assert starved - spoiled == pytest.approx(after - accuracy)


def test_the_order_of_the_records_makes_no_difference() -> None:
    for one, other in zip(yardsticks(RECORDS), sorted(yardsticks(RECORDS[::-1]), key=lambda y: y.model), strict=True):
        assert [step.budget for step in one.steps] == [step.budget for step in other.steps]
        assert one.area == pytest.approx(other.area)
        assert one.reg == pytest.approx(other.reg)
        assert one.hindsight_gain == pytest.approx(other.hindsight_gain, abs=1e-5)


def test_with_one_sample_a_problem_there_is_hindsight_alone() -> None:
    found = find(yardsticks(make_records(20, 1, ("8+20", "24+20", "96+20"))))
    assert found.hindsight_gain is not None
    assert found.oracle_gain is None
    assert all(step.oracle_gain is None for step in found.steps)


def test_thinkings_of_their_own_tell_nothing_of_cuts() -> None:
    """As of an engine that draws anew for every budget."""
    apart = [replace(r, budget_hit=False, num_thinking_tokens=r.num_thinking_tokens + 1) for r in RECORDS]
    ended = [replace(r, budget_hit=False) if r.budget == "8+20" else a for r, a in zip(RECORDS, apart, strict=True)]
    found = find(yardsticks(ended))
    assert (found.num_samples, found.num_unshared) == (40, 40)
    assert found.area is not None
    assert found.starved is found.oracle_gain is found.hindsight_gain is None
    assert all(step.overthinking is None for step in found.steps)


def test_without_thinking_there_is_no_share_of_it() -> None:
    found = find(yardsticks(make_records(8, 2, ("0+20", "24+20"), strategies=["elastic"])))
    assert found.steps[0].overthinking is None
    assert found.steps[1].overthinking is not None


def test_one_problem_has_no_standard_errors() -> None:
    found = find(yardsticks(make_records(1, 2, ("8+20", "24+20"))))
    for holder in (found, *found.steps):
        assert isinstance(holder, Yardsticks | Step)
        for field in fields(holder):
            told = getattr(holder, field.name)
            assert not isinstance(told, Estimate) or told.se is None, field.name


def test_shares_of_thinking_are_means_over_tokens_with_errors_of_many_runs() -> None:
    """Overthinking is a ratio of sums; its spread over halves of many problems is what each half says of itself."""
    records = make_records(num_problems=240, num_samples=1, budgets=("8+20", "24+20", "96+20"), strategies=["elastic"])
    of_mini = [r for r in records if r.model == "mini" and r.strategy == "elastic"]
    names = sorted({r.problem for r in of_mini})
    rng = np.random.default_rng(0)
    values = []
    for _ in range(30):
        chosen = set(rng.permutation(names)[:40])
        (found,) = yardsticks([r for r in of_mini if r.problem in chosen])
        assert found.steps[-1].overthinking is not None
        values.append(found.steps[-1].overthinking)
    spread, error = np.std([v.value for v in values]), np.mean([v.se for v in values if v.se is not None])
    assert error == pytest.approx(spread / np.sqrt(1 - 40 / 240), rel=0.3)  # drawn without replacement


def test_errors_of_the_oracles_are_those_of_many_runs() -> None:
    """60 problems of 4 samples that share most of their luck over the budgets, as cuts of one thinking do."""
    rng = np.random.default_rng(3)
    problems = np.arange(60).repeat(4)
    found = []
    for _ in range(150):
        ease = rng.random((60, 1))
        chances = np.sort(rng.beta(1 + 3 * ease, 4 - 3 * ease, (60, 4)), axis=1).repeat(4, axis=0)
        luck = 0.7 * rng.random((240, 1)) + 0.3 * rng.random((240, 4))
        tokens = np.array([10, 20, 40, 80]) + rng.integers(0, 8, (240, 4))
        (each,) = yardsticks_of([make_ladder(luck < chances, tokens, problems)])
        found.append((each.oracle_gain, each.hindsight_gain, each.starved))
    for gains in zip(*found, strict=True):
        values, errors = np.array([gain for gain in gains if gain is not None], float).T
        assert errors.mean() == pytest.approx(values.std(), rel=0.2)
