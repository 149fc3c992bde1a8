import random
from dataclasses import replace
from statistics import fmean, stdev

import pytest

from elastic_reasoning.analysis.equal_tokens import AtTokens, at_equal_tokens
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import Record


def record(strategy: str, budget: str, problem: int, tokens: int, correct: bool) -> Record:
    bare = Record.without_trace(("m", strategy, budget, f"p{problem}", 0), "")
    segment = Part(phase="solution", ids=[1] * tokens, sampled=True, finish="eos", text="")
    return replace(bare, error=None, correct=correct, segments=[segment])


def of(points: list[AtTokens], strategy: str) -> dict[str, AtTokens]:
    return {point.budget: point for point in points if point.strategy == strategy}


def test_a_curve_is_read_where_the_reference_is() -> None:
    records = [record("elastic", "10+0", n, 15, n == 0) for n in range(4)]
    records += [record("s1", "10+0", n, 10, n == 0) for n in range(4)]
    records += [record("s1", "20+0", n, 20, n < 3) for n in range(4)]
    [own], [other] = (list(of(at_equal_tokens(records), name).values()) for name in ("elastic", "s1"))
    assert (own.tokens, own.spent, own.accuracy, own.difference, own.difference_se) == (15, 15, 0.25, 0, 0)
    assert (other.tokens, other.spent, other.accuracy, other.difference) == (15, 15, 0.5, 0.25)
    # Halfway between the two, two problems of four gain half: the deviations of 0, 1/2, 1/2, 0 from 1/4.
    assert other.difference_se == pytest.approx(stdev([0, 0.5, 0.5, 0]) / 2)


def test_before_its_first_budget_a_curve_has_no_value_and_behind_its_last_it_stays() -> None:
    records = [record("elastic", f"{t}+0", n, t, n < 2) for t in (5, 30) for n in range(4)]
    records += [record("s1", f"{t}+0", n, t, n < 1) for t in (10, 20) for n in range(4)]
    found = of(at_equal_tokens(records), "s1")
    assert list(found) == ["30+0"]
    assert (found["30+0"].tokens, found["30+0"].spent, found["30+0"].accuracy) == (30, 20, 0.25)


def test_only_problems_of_all_budgets_count() -> None:
    records = [record("elastic", "10+0", n, 10, True) for n in range(3)]
    records += [record("s1", "10+0", n, 10, True) for n in range(1, 5)]
    assert {point.num_problems for point in at_equal_tokens(records) if point.strategy == "s1"} == {2}
    assert at_equal_tokens([*records[:1], *records[-1:]])[-1].strategy == "elastic"  # none is shared


def test_without_the_reference_or_beside_nothing_there_is_nothing_to_compare() -> None:
    alone = [record(strategy, "10+0", 0, 10, True) for strategy in ("s1", "vanilla")]
    assert at_equal_tokens(alone) == at_equal_tokens([record("elastic", "10+0", 0, 10, True)]) == []
    assert at_equal_tokens(alone, "vanilla") != []


def test_the_standard_error_is_that_of_repeated_draws() -> None:
    differences, errors = [], []
    for seed in range(400):
        rng, records = random.Random(seed), []
        for n in range(60):
            hard = rng.random()
            for strategy, budget, tokens in (("elastic", "20+0", 24), ("s1", "10+0", 16), ("s1", "30+0", 40)):
                spent = round(tokens * (0.5 + hard) + rng.randrange(4))
                records.append(record(strategy, budget, n, spent, rng.random() < (1 - hard) * tokens / 40))
        point = of(at_equal_tokens(records), "s1")["20+0"]
        differences.append(point.difference)
        errors.append(point.difference_se or 0.0)
    assert fmean(errors) == pytest.approx(stdev(differences), rel=0.12)
