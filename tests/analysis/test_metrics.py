from dataclasses import replace
from math import sqrt
from statistics import mean, stdev

import pytest

from elastic_reasoning.analysis.compare import paired_difference
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.spending import generated_tokens, seconds_of
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.grading.tally import Tally
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.columns import columns_of, numbers_of
from elastic_reasoning.report.export import rows_to_csv
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


def test_what_a_grader_counted_is_shared_out_over_all_that_was_counted() -> None:
    """As instructions of prompts that have several: a prompt with more of them weighs more."""
    first, second, third = make_records(3, 1, budgets=["8+20"], models=["mini"], strategies=["elastic"])[:3]
    counts = [(first, 1, 3), (second, 2, 2), (third, 0, 1)]
    records = [
        replace(record, tallies=(Tally("kept", num, of), Tally("all", num // of, 1))) for record, num, of in counts
    ]
    (row,) = summarise(records)
    kept = [(record.problem, float(place < num)) for record, num, of in counts for place in range(of)]
    assert row.tallies == {"kept": 0.5, "all": pytest.approx(1 / 3)}
    assert row.tallies_se["kept"] == pytest.approx(brute_force_se(kept))
    assert row.majority is None
    kept_column, all_column = (column for column in columns_of([row]) if column.name in ("kept", "all"))
    assert (kept_column.text(row), all_column.text(row)) == ("50.0%", "33.3%")
    assert "kept,kept_se,all,all_se" in rows_to_csv([row])
    assert row.tallies.keys() == row.tallies_se.keys()


def test_rates_count_flags() -> None:
    first, *others = make_records(10, 1, budgets=["8+20"], models=["mini"], strategies=["elastic"])[:10]
    flagged = replace(
        first, escaped=True, closed_again=2, tool_cut=True, solution_cut=True, answer=None, unboxed=True, correct=False
    )
    (row,) = summarise([flagged, *others])
    assert row.closed_again_rate == row.tool_cut_rate == pytest.approx(0.1)
    assert row.escape_rate == row.cut_rate == row.no_answer_rate == row.unboxed_rate == pytest.approx(0.1)


def graded(*verdicts: str, strategy: str = "elastic") -> list[Record]:
    """A record for each letter, a problem for each word: r right, w wrong, - no answer, e error."""
    first = make_records(1, 1, budgets=["8+20"], models=["mini"], strategies=["elastic"])[0]
    made = {
        "r": {"correct": True, "answer": "7"},
        "w": {"correct": False, "answer": "8"},
        "-": {"correct": False, "answer": None},
        "e": ERROR,
    }
    return [
        replace(first, strategy=strategy, problem=f"p{number}", sample=sample, **made[letter])
        for number, word in enumerate(verdicts)
        for sample, letter in enumerate(word)
    ]


def test_pass_at_k_and_the_majority_are_means_over_problems() -> None:
    (row,) = summarise(graded("rrww", "rwww", "--r-", "wwww"))
    chances = [1 - 1 / 6, 1 / 2, 1 / 2, 0.0]  # of C(4, 2) = 6 pairs those with a right one
    assert row.num_samples_each == 4
    assert row.accuracy == row.pass_at[1] == pytest.approx(4 / 16)
    assert row.pass_at == {1: 0.25, 2: pytest.approx(mean(chances)), 4: 0.75}
    assert row.pass_at_se[2] == pytest.approx(stdev(chances) / sqrt(4))
    assert row.pass_at_se[1] == pytest.approx(row.accuracy_se)
    assert row.majority == pytest.approx(mean([0.5, 0, 1, 0]))
    assert row.majority_se == pytest.approx(stdev([0.5, 0, 1, 0]) / sqrt(4))


def test_where_errors_left_a_problem_with_fewer_samples_the_largest_k_is_smaller() -> None:
    (row,) = summarise(graded("rrrw", "rwew", "eeee"))
    assert list(row.pass_at) == [1, 2, 3]
    assert (row.num_problems, row.num_samples, row.num_errors) == (2, 7, 5)
    assert row.num_samples_each == 3.5
    assert row.pass_at[1] == pytest.approx(mean([3 / 4, 1 / 3]))
    assert row.accuracy == pytest.approx(4 / 7)
    assert row.pass_at[3] == 1


def test_one_sample_of_one_problem_has_no_standard_error() -> None:
    (row,) = summarise(graded("r"))
    assert (row.accuracy, row.pass_at, row.majority) == (1, {1: 1}, 1)
    assert (row.accuracy_se, row.pass_at_se, row.majority_se) == (None, {1: None}, None)


def test_there_is_no_majority_of_programs() -> None:
    (row,) = summarise(replace(r, answer="a = input()\nprint(a)") for r in graded("rrw", "www"))
    assert (row.majority, row.majority_se) == (None, None)
    assert row.pass_at[1] == pytest.approx(1 / 3)


def lengths(*tokens: int, strategy: str) -> list[Record]:
    """Samples of one problem with so many sampled tokens, and forced ones beside them."""
    forced = {"phase": "closing", "ids": [1, 2, 3], "sampled": False, "finish": None, "text": ""}
    sampled = [{"phase": "thinking", "ids": [5] * n, "sampled": True, "finish": "eos", "text": ""} for n in tokens]
    records = graded("r" * len(tokens), strategy=strategy)
    return [
        replace(record, num_thinking_tokens=n, num_solution_tokens=2 * n, segments=[part, forced])
        for record, n, part in zip(records, tokens, sampled, strict=True)
    ]


def test_tokens_have_a_mean_a_median_and_a_95th_percentile() -> None:
    (row,) = summarise(lengths(*range(1, 41), strategy="elastic"))
    thinking = (row.mean_thinking_tokens, row.median_thinking_tokens, row.p95_thinking_tokens)
    assert thinking == (20.5, 20.5, 38)
    assert (row.mean_solution_tokens, row.median_solution_tokens, row.p95_solution_tokens) == (41, 41, 76)
    assert (row.mean_total_tokens, row.median_total_tokens, row.p95_total_tokens) == thinking


@pytest.mark.parametrize("strategy", ["l1-exact", "l1-max"])
def test_l1_is_measured_by_the_length_that_was_asked_for(strategy: str) -> None:
    (row,) = summarise(lengths(21, 28, 35, 28, strategy=strategy))
    assert row.asked_tokens == 28  # 8 + 20
    assert row.length_deviation == pytest.approx(mean([7 / 28, 0, 7 / 28, 0]))
    assert row.violation_rate == 0.25


def test_other_strategies_are_not() -> None:
    (row,) = summarise(lengths(21, 28, strategy="elastic"))
    assert (row.asked_tokens, row.length_deviation, row.violation_rate) == (None, None, None)


def test_a_length_of_nothing_has_no_relative_deviation() -> None:
    (row,) = summarise(replace(r, budget="0+0") for r in lengths(3, strategy="l1-max"))
    assert (row.asked_tokens, row.length_deviation, row.violation_rate) == (0, None, 1)


def test_errors_are_counted_apart_and_grade_nothing() -> None:
    records = of(RECORDS, A)
    (without,) = summarise(records)
    (row,) = summarise([*records, *(replace(record, sample=9, **ERROR) for record in records[:10])])
    assert row.num_errors == 10
    assert replace(row, num_errors=0) == without


def test_a_setting_with_errors_only_has_a_row_without_figures() -> None:
    (row,) = summarise([replace(RECORDS[0], **ERROR)])
    assert (row.num_problems, row.num_samples, row.num_errors) == (0, 0, 1)
    assert row.num_samples_each == 0
    assert (row.pass_at, row.pass_at_se) == ({}, {})
    rest = numbers_of(row)
    for name in ("model", "strategy", "budget", "num_problems", "num_samples", "num_samples_each", "num_errors"):
        del rest[name]
    assert set(rest) > {"accuracy", "accuracy_se", "majority", "p95_total_tokens", "unboxed_rate", "violation_rate"}
    assert not any(rest.values())
    assert all(value is None for name, value in rest.items() if not name.startswith(("pass_at", "num_", "tallies")))


def test_no_records_have_no_rows() -> None:
    assert summarise([]) == []


def test_rows_are_ordered_by_model_strategy_and_size_of_budget() -> None:
    rows = summarise(reversed(make_records(2, 1, budgets=["8+20", "16+2", "16+12", "100+0"])))
    settings = [(row.model, row.strategy, row.budget) for row in rows]
    assert [s for s in settings if s[0] == "mini-e1"] == settings[: len(settings) // 2]
    strategies = list(dict.fromkeys(strategy for _, strategy, _ in settings))
    assert strategies == ["elastic", "vanilla", "s1", "unconstrained"]
    assert [s[2] for s in settings[:4]] == ["16+2", "8+20", "16+12", "100+0"]


def test_paired_difference_is_that_of_the_problems() -> None:
    a, b = of(RECORDS, A), of(RECORDS, B)
    found = paired_difference(RECORDS, Setting.of(*A), Setting.of(*B))
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
    assert paired_difference(fewer, Setting.of(*A), Setting.of(*B)) == paired_difference(
        common, Setting.of(*A), Setting.of(*B)
    )
    assert paired_difference(fewer, Setting.of(*A), Setting.of(*B)).num_problems == 25


def test_paired_difference_with_unequal_samples_is_that_of_the_accuracies() -> None:
    fewer = [r for r in RECORDS if not (r.key[:3] == A and r.sample > int(r.problem[-1]) % 3)]
    rows = {(row.model, row.strategy, row.budget): row.accuracy or 0 for row in summarise(fewer)}
    found = paired_difference(fewer, Setting.of(*A), Setting.of(*B))
    assert found.difference == pytest.approx(rows[B] - rows[A])
    assert found.se is not None
    assert paired_difference(fewer, Setting.of(*B), Setting.of(*A)).se == pytest.approx(found.se)


def test_paired_difference_without_a_common_problem_is_an_error() -> None:
    with pytest.raises(RecordsError, match=r"both mini/elastic/24\+20 and mini/elastic/1\+1"):
        paired_difference(RECORDS, Setting.of(*A), Setting.of("mini", "elastic", "1+1"))


def test_generated_tokens_leave_out_what_was_reused() -> None:
    num_sampled, num_generated = generated_tokens(RECORDS)
    assert num_sampled == sum(len(p["ids"]) for r in RECORDS for p in r.segments if p["sampled"])
    assert num_sampled - num_generated == sum(record.num_reused_tokens for record in RECORDS)
    assert generated_tokens([]) == (0, 0)


def test_seconds_and_generated_tokens_of_each_model() -> None:
    records = [replace(record, seconds=0.25) for record in RECORDS]
    found = seconds_of(records)
    assert list(found) == ["mini", "mini-e1"]
    for model, (seconds, num_tokens) in found.items():
        own = [record for record in records if record.model == model]
        assert seconds == pytest.approx(len(own) / 4)
        assert num_tokens == generated_tokens(own)[1]
    assert seconds_of([]) == {}
