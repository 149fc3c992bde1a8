import random
from collections import defaultdict
from dataclasses import replace
from math import sqrt
from statistics import mean, stdev

import pytest

from elastic_reasoning.errors import RecordsError
from elastic_reasoning.evaluation.metrics import clustered_se, generated_tokens, paired_difference, summarise
from elastic_reasoning.evaluation.records import Record
from make_records import make_records

A, B = ("mini", "elastic", "24+20"), ("mini-e1", "elastic", "24+20")
RECORDS = make_records(num_problems=30, num_samples=3)
ERROR = {"error": "the prompt has 9 tokens too many", "correct": None, "answer": None, "reason": None}


def of(records: list[Record], setting: tuple[str, str, str]) -> list[Record]:
    return [record for record in records if record.key[:3] == setting]


def brute_force_se(samples: list[tuple[str, float]]) -> float:
    """Every pair of samples of one problem, in a double loop."""
    n = len(samples)
    average = sum(grade for _, grade in samples) / n
    num_clusters = len({problem for problem, _ in samples})
    total = 0.0
    for problem, grade in samples:
        for other, other_grade in samples:
            if problem == other:
                total += (grade - average) * (other_grade - average)
    return sqrt(num_clusters / (num_clusters - 1) * total) / n


def unequal(seed: int) -> list[tuple[str, float]]:
    rng = random.Random(seed)
    return [
        (f"p{problem}", float(rng.random() < ease))
        for problem, ease in ((problem, rng.random()) for problem in range(25))
        for _ in range(rng.randrange(1, 7))
    ]


@pytest.mark.parametrize("seed", range(5))
def test_clustered_se_is_that_of_a_double_loop(seed: int) -> None:
    samples = unequal(seed)
    clusters = defaultdict(list)
    for problem, grade in samples:
        clusters[problem].append(grade)
    assert clustered_se(list(clusters.values())) == pytest.approx(brute_force_se(samples), rel=1e-12)


def test_clustered_se_covers_the_truth() -> None:
    """Of many made-up sweeps, about 95 % have the true accuracy within 1.96 standard errors."""
    rng = random.Random(0)
    num_covered = 0
    for _ in range(1000):
        clusters = [[float(rng.random() < ease)] * rng.choice([1, 4]) for ease in [0.3, 0.6] * 60]
        accuracy = sum(map(sum, clusters)) / sum(map(len, clusters))
        num_covered += abs(accuracy - 0.45) < 1.96 * (clustered_se(clusters) or 0)
    assert 920 <= num_covered <= 975


def test_clustered_se_of_single_samples_is_the_usual_one() -> None:
    grades = [1.0, 0.0, 1.0, 1.0, 0.0]
    assert clustered_se([[grade] for grade in grades]) == pytest.approx(stdev(grades) / sqrt(5))


def test_samples_that_are_copies_add_no_certainty() -> None:
    grades = [1.0, 0.0, 1.0, 1.0, 0.0]
    assert clustered_se([[grade] * 8 for grade in grades]) == pytest.approx(stdev(grades) / sqrt(5))


@pytest.mark.parametrize("clusters", [[], [[1.0, 0.0]]])
def test_clustered_se_of_fewer_than_two_problems_is_not_known(clusters: list[list[float]]) -> None:
    assert clustered_se(clusters) is None


def test_a_row_is_what_its_records_say() -> None:
    row = next(row for row in summarise(RECORDS) if (row.model, row.strategy, row.budget) == A)
    records = of(RECORDS, A)
    assert (row.num_problems, row.num_samples, row.num_errors) == (30, 90, 0)
    assert row.accuracy == pytest.approx(mean(record.correct or False for record in records))
    assert row.accuracy_se == pytest.approx(brute_force_se([(r.problem, float(bool(r.correct))) for r in records]))
    assert row.mean_thinking_tokens == pytest.approx(mean(record.num_thinking_tokens for record in records))
    assert row.median_thinking_tokens == 24
    assert row.mean_solution_tokens == 3
    assert row.mean_total_tokens == pytest.approx(mean(record.num_sampled_tokens for record in records))
    assert row.forced_rate == row.budget_hit_rate == pytest.approx(mean(r.forced_close for r in records))
    assert row.cut_rate == row.escape_rate == row.no_answer_rate == 0


def test_rates_count_flags() -> None:
    first, *others = make_records(10, 1, budgets=["8+20"], models=["mini"], strategies=["elastic"])[:10]
    flagged = replace(first, escaped=True, solution_cut=True, answer=None, correct=False)
    (row,) = summarise([flagged, *others])
    assert row.escape_rate == row.cut_rate == row.no_answer_rate == pytest.approx(0.1)


def test_errors_are_counted_apart_and_grade_nothing() -> None:
    records = of(RECORDS, A)
    (without,) = summarise(records)
    (row,) = summarise([*records, *(replace(record, sample=9, **ERROR) for record in records[:10])])
    assert row.num_errors == 10
    assert replace(row, num_errors=0) == without


def test_a_setting_with_errors_only_has_a_row_without_figures() -> None:
    (row,) = summarise([replace(RECORDS[0], **ERROR)])
    assert (row.num_problems, row.num_samples, row.num_errors) == (0, 0, 1)
    assert row.accuracy is None
    assert row.accuracy_se is None
    assert row.median_thinking_tokens is None


def test_rows_are_ordered_by_model_strategy_and_size_of_budget() -> None:
    rows = summarise(reversed(make_records(2, 1, budgets=["8+20", "16+2", "16+12", "100+0"])))
    settings = [(row.model, row.strategy, row.budget) for row in rows]
    assert [s for s in settings if s[0] == "mini-e1"] == settings[: len(settings) // 2]
    strategies = list(dict.fromkeys(strategy for _, strategy, _ in settings))
    assert strategies == ["elastic", "vanilla", "s1", "unconstrained"]
    assert [s[2] for s in settings[:4]] == ["16+2", "8+20", "16+12", "100+0"]


def test_paired_difference_is_that_of_the_problems() -> None:
    a, b = of(RECORDS, A), of(RECORDS, B)
    found = paired_difference(RECORDS, A, B)
    differences = [
        mean(bool(r.correct) for r in b if r.problem == problem)
        - mean(bool(r.correct) for r in a if r.problem == problem)
        for problem in {record.problem for record in a}
    ]
    assert found.num_problems == 30
    assert found.difference == pytest.approx(mean(differences))
    assert found.se == pytest.approx(stdev(differences) / sqrt(30))


def test_paired_difference_takes_the_problems_that_both_have() -> None:
    dropped = {f"chain-{n:04d}" for n in range(5)}
    fewer = [r for r in RECORDS if not (r.key[:3] == A and r.problem in dropped)]
    common = [r for r in RECORDS if r.problem not in dropped]
    assert paired_difference(fewer, A, B) == paired_difference(common, A, B)
    assert paired_difference(fewer, A, B).num_problems == 25


def test_paired_difference_with_unequal_samples_is_that_of_the_accuracies() -> None:
    fewer = [r for r in RECORDS if not (r.key[:3] == A and r.sample > int(r.problem[-1]) % 3)]
    rows = {(row.model, row.strategy, row.budget): row.accuracy or 0 for row in summarise(fewer)}
    found = paired_difference(fewer, A, B)
    assert found.difference == pytest.approx(rows[B] - rows[A])
    assert found.se is not None
    assert paired_difference(fewer, B, A).se == pytest.approx(found.se)


def test_paired_difference_without_a_common_problem_is_an_error() -> None:
    with pytest.raises(RecordsError, match=r"both mini elastic 24\+20 and mini elastic 1\+1"):
        paired_difference(RECORDS, A, ("mini", "elastic", "1+1"))


def test_generated_tokens_leave_out_what_was_reused() -> None:
    num_sampled, num_generated = generated_tokens(RECORDS)
    assert num_sampled == sum(len(p["ids"]) for r in RECORDS for p in r.segments if p["sampled"])
    assert num_sampled - num_generated == sum(record.num_reused_tokens for record in RECORDS)
    assert generated_tokens([]) == (0, 0)
