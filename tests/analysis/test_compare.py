import random
from dataclasses import replace
from math import sqrt
from statistics import NormalDist, mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.analysis.compare import Paired, compare_runs, holm, paired_difference
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.record import Record
from make_records import make_records

BUDGETS = ("8+20", "24+20", "96+20")
BEFORE = make_records(30, 2, budgets=BUDGETS, models=["mini"])
AFTER = make_records(30, 2, budgets=BUDGETS, models=["mini-e1"])
SETTING = ("elastic", "24+20")


def verdicts(model: str, *words: str, budget: str = "24+20") -> list[Record]:
    """A problem for each word, a sample for each letter: r right, w wrong, e error."""
    first = make_records(1, 1, budgets=[budget], models=[model], strategies=["elastic"])[0]
    made = {"r": {"correct": True}, "w": {"correct": False}, "e": {"error": "no room", "correct": None}}
    return [
        replace(first, problem=f"p{number}", sample=sample, **made[letter])
        for number, word in enumerate(words)
        for sample, letter in enumerate(word)
    ]


def one(a: list[Record], b: list[Record]) -> Paired:
    (found,) = compare_runs(a, b)
    return found


def of(records: list[Record], *setting: str) -> list[Record]:
    return [record for record in records if record.key[1:3] == setting]


def test_every_setting_that_both_have_is_compared() -> None:
    found = compare_runs(BEFORE, [record for record in AFTER if record.budget != "8+20"])
    settings = [row for row in summarise(AFTER) if row.budget != "8+20"]
    assert [pair.b for pair in found] == [Setting.of(row.model, row.strategy, row.budget) for row in settings]
    for pair, row in zip(found, settings, strict=True):
        assert pair.a == replace(pair.b, model="mini")
        assert pair.accuracy_b == pytest.approx(row.accuracy)
        assert pair.tokens_b == pytest.approx(row.mean_total_tokens)


def test_the_difference_is_the_paired_one() -> None:
    pair = one(of(BEFORE, *SETTING), of(AFTER, *SETTING))
    expected = paired_difference([*BEFORE, *AFTER], Setting.of("mini", *SETTING), Setting.of("mini-e1", *SETTING))
    assert (pair.difference, pair.se) == (pytest.approx(expected.difference), pytest.approx(expected.se))
    assert pair.p_value == pytest.approx(2 * (1 - NormalDist().cdf(abs(expected.difference) / expected.se)))
    assert pair.p_value == pair.p_holm
    assert pair.num_problems == pair.num_won + pair.num_lost + pair.num_tied == 30
    assert (pair.num_only_a, pair.num_only_b) == (0, 0)


def test_problems_are_won_lost_and_tied() -> None:
    pair = one(verdicts("a", "ww", "rw", "rr", "rw", "ww"), verdicts("b", "rw", "ww", "rr", "wr", "rrrr"))
    assert (pair.num_won, pair.num_lost, pair.num_tied) == (2, 1, 2)


def test_tokens_are_paired_too() -> None:
    before, after = of(BEFORE, *SETTING), of(AFTER, *SETTING)
    pair = one(before, after)
    differences = [
        mean(r.num_sampled_tokens for r in after if r.problem == problem)
        - mean(r.num_sampled_tokens for r in before if r.problem == problem)
        for problem in {record.problem for record in before}
    ]
    assert pair.tokens_difference == pytest.approx(mean(differences)) == pytest.approx(pair.tokens_b - pair.tokens_a)
    assert pair.tokens_se == pytest.approx(stdev(differences) / sqrt(30))


def test_only_problems_that_both_have_count() -> None:
    pair = one(verdicts("a", "r", "w", "r", "e"), verdicts("b", "r", "r", "e", "r"))
    assert (pair.num_problems, pair.num_only_a, pair.num_only_b) == (2, 1, 1)
    assert (pair.accuracy_a, pair.accuracy_b) == (0.5, 1)


def test_the_one_setting_of_each_is_compared_whatever_it_is() -> None:
    both = [*BEFORE, *AFTER]
    pair = one(of(both[: len(BEFORE)], "s1", "24+20"), of(both[len(BEFORE) :], "elastic", "96+20"))
    assert (pair.a, pair.b) == (Setting.of("mini", "s1", "24+20"), Setting.of("mini-e1", "elastic", "96+20"))


def test_runs_of_several_models_are_compared_by_model() -> None:
    found = compare_runs([*BEFORE, *AFTER], AFTER)
    assert {pair.a.model for pair in found} == {"mini-e1"}
    assert all(pair.a == pair.b and pair.difference == 0 and pair.p_value == 1 for pair in found)


def test_runs_with_nothing_in_common_are_an_error() -> None:
    with pytest.raises(RecordsError, match=r"one has a/elastic/8\+20, a/elastic/24\+20, the other nothing graded"):
        compare_runs([*verdicts("a", "r"), *verdicts("a", "r", budget="8+20")], verdicts("b", "e"))
    with pytest.raises(RecordsError, match="no setting with a common problem"):
        compare_runs(verdicts("a", "r"), [replace(r, problem="other") for r in verdicts("b", "r")])
    with pytest.raises(RecordsError, match="nothing graded"):
        compare_runs([], [])
    with pytest.raises(RecordsError, match=r"mini/vanilla/8\+20 and 6 more, the other"):
        compare_runs(BEFORE, [])


def test_one_problem_says_nothing_of_chance() -> None:
    pair = one(verdicts("a", "ww"), verdicts("b", "rr"))
    assert (pair.difference, pair.se, pair.p_value, pair.p_holm, pair.tokens_se) == (1, None, None, None, None)


def test_where_all_problems_differ_alike_the_sign_test_stands_in() -> None:
    pair = one(verdicts("a", *["w"] * 6), verdicts("b", *["r"] * 6))
    assert (pair.se, pair.p_value) == (0, 2 / 64)


def test_p_values_of_no_difference_are_even() -> None:
    """Two settings of equal accuracy differ by more than two standard errors in about 5 % of comparisons."""
    rng = random.Random(0)
    num_small = 0
    for _ in range(400):
        eases = [rng.random() for _ in range(60)]
        words = [["".join("r" if rng.random() < ease else "w" for _ in range(2)) for ease in eases] for _ in range(2)]
        num_small += (one(verdicts("a", *words[0]), verdicts("b", *words[1])).p_value or 0) < 0.05
    assert 8 <= num_small <= 36


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([], []),
        ([0.2], [0.2]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.9, None, 0.5], [1.0, None, 1.0]),
    ],
)
def test_holms_correction(p_values: list[float | None], expected: list[float | None]) -> None:
    assert holm(p_values) == [None if p is None else pytest.approx(p) for p in expected]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_correction_keeps_the_order_and_is_between_the_value_and_bonferronis(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for p, after in zip(p_values, corrected, strict=True):
        assert after is not None
        assert p <= after <= min(1.0, p * len(p_values)) + 1e-12
    by_p = [after for _, after in sorted(zip(p_values, corrected, strict=True))]
    assert by_p == sorted(by_p)
