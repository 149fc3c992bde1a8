import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

import pytest

from elastic_reasoning.analysis.compare import paired_difference
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.recommend import Recommendation, recommend
from elastic_reasoning.core.errors import RecordsError, StrategyError, UsageError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.parts import ProbePart
from elastic_reasoning.records.record import Record
from make_records import make_manifest, make_records

RECORDS = make_records(60, 2)
MINE = [record for record in RECORDS if record.model == "mini-e1" and record.strategy == "elastic"]


def folder(records: Sequence[Record], split: str = "test") -> tuple[Manifest, Sequence[Record]]:
    return replace(make_manifest(0), split=split), records


def made(accuracies: dict[str, float], num_problems: int = 40, num_samples: int = 2) -> list[Record]:
    """Records of one model whose every sample is right with the chance given for its budget."""
    rng = random.Random(0)
    records = make_records(num_problems, num_samples, budgets=list(accuracies), models=["mini"], strategies=["elastic"])
    return [
        replace(record, correct=rng.random() < accuracies[record.budget])
        for record in records
        if record.strategy == "elastic"
    ]


def of(records: Sequence[Record], choice: Recommendation) -> list[Record]:
    return [record for record in records if record.budget == choice.budget]


def test_the_best_budget_within_a_total() -> None:
    records = made({"8+20": 0.1, "24+20": 0.9, "48+20": 0.4, "160+20": 1.0})
    choice = recommend(folder(records), total=68)
    assert (choice.model, choice.strategy, choice.budget, choice.total_tokens) == ("mini", "elastic", "24+20", 44)
    assert (choice.num_candidates, choice.runner_up, choice.clear) == (3, "48+20", True)
    assert recommend(folder(records), total=43).budget == "8+20"
    assert recommend(folder(records), total=10_000).budget == "160+20"


def test_the_cheapest_budget_for_an_accuracy() -> None:
    records = made({"8+20": 0.1, "24+20": 0.9, "48+20": 0.4, "160+20": 1.0})
    choice = recommend(folder(records), accuracy=0.6)
    assert (choice.budget, choice.runner_up, choice.num_candidates, choice.clear) == ("24+20", "160+20", 2, True)
    assert recommend(folder(records), accuracy=0.97).budget == "160+20"
    assert recommend(folder(records), accuracy=0.05).budget == "8+20"


def test_probes_count_towards_a_total() -> None:
    probe = ProbePart(position=2, forced=[9], asked="?", ids=[1] * 8, answered="so", finish="length")
    accuracies = {"8+20": 0.1, "24+20": 0.9, "48+20": 0.4}
    records = [replace(r, probes=[probe] if r.budget == "24+20" else []) for r in made(accuracies)]
    choice = recommend(folder(records), total=52)
    assert (choice.budget, choice.total_tokens) == ("24+20", 52)
    plain = recommend(folder([replace(r, probes=[]) for r in records]), total=52)
    assert choice.mean_total_tokens == pytest.approx(plain.mean_total_tokens + 8)
    assert recommend(folder(records), total=51).budget == "8+20"
    with pytest.raises(RecordsError, match=r"is 24\+20, 52 in all, probes among them"):
        recommend(folder([r for r in records if r.budget == "24+20"]), total=51)


def test_it_is_measured_on_other_problems_than_it_was_chosen_on() -> None:
    choice = recommend(folder(MINE), total=80)
    assert choice.held_out
    assert (choice.num_chosen_on, choice.num_measured_on) == (30, 30)
    correct = {problem: [bool(r.correct) for r in of(MINE, choice) if r.problem == problem] for problem in PROBLEMS}
    sums = 30 * choice.accuracy + 30 * choice.accuracy_chosen_on
    assert sums == pytest.approx(sum(map(mean, correct.values())))
    low, high = choice.interval
    assert low < choice.accuracy <= high
    assert recommend(folder(MINE[::-1]), total=80) == choice  # whatever the order of the records


PROBLEMS = sorted({record.problem for record in MINE})


def test_on_validation_problems_all_are_used_for_both() -> None:
    choice = recommend(folder(MINE, "validation"), total=80)
    assert not choice.held_out
    assert (choice.num_chosen_on, choice.num_measured_on) == (60, 60)
    (row,) = summarise(of(MINE, choice))
    assert choice.accuracy == choice.accuracy_chosen_on == pytest.approx(row.accuracy)
    assert choice.accuracy_se == pytest.approx(row.accuracy_se)
    assert choice.mean_total_tokens == pytest.approx(row.mean_total_tokens)
    second = Setting.of("mini-e1", "elastic", choice.runner_up or "")
    gain = paired_difference(MINE, second, Setting.of("mini-e1", "elastic", choice.budget))
    assert (choice.difference, choice.difference_se) == (pytest.approx(gain.difference), pytest.approx(gain.se))
    assert choice.difference == pytest.approx(choice.accuracy - (choice.runner_up_accuracy or 0))


def test_the_winners_luck_is_not_reported() -> None:
    """Of many equal budgets the luckiest is chosen; what is measured elsewhere is nevertheless the truth."""
    rng, equal = random.Random(0), made({f"{t}+20": 0.5 for t in range(10, 26)}, 40, 1)
    runs = [[replace(record, correct=rng.random() < 0.5) for record in equal] for _ in range(40)]
    choices = [recommend(folder(run), total=100) for run in runs]
    assert mean(choice.accuracy_chosen_on for choice in choices) > 0.6
    assert mean(choice.accuracy for choice in choices) == pytest.approx(0.5, abs=0.05)
    covered = [choice.interval[0] < 0.5 < choice.interval[1] for choice in choices]
    assert mean(covered) > 0.85
    assert mean(choice.clear for choice in choices) < 0.15


def test_among_equals_the_smaller_total_then_the_fewer_tokens() -> None:
    records = made({"24+20": 1.0, "20+24": 1.0, "48+20": 1.0})
    shorter = [replace(r, segments=[]) if r.budget == "24+20" else r for r in records]
    assert recommend(folder(shorter), total=100).budget == "24+20"
    shorter = [replace(r, segments=[]) if r.budget == "20+24" else r for r in records]
    assert recommend(folder(shorter), total=100).budget == "20+24"
    assert recommend(folder(shorter), accuracy=1.0).budget == "20+24"


def test_a_single_candidate_has_no_runner_up() -> None:
    choice = recommend(folder(made({"24+20": 1.0})), total=44)
    nobody = (choice.runner_up, choice.runner_up_accuracy, choice.difference, choice.difference_se)
    assert nobody == (None,) * 4
    assert choice.clear
    assert choice.interval[0] < 1  # also where every answer is right


def test_only_problems_that_every_candidate_has_count() -> None:
    records = [r for r in MINE if r.budget != "24+20" or r.problem in PROBLEMS[:20]]
    choice = recommend(folder(records), total=10_000)
    assert choice.num_chosen_on + choice.num_measured_on == 20
    assert recommend(folder(records), total=28).num_measured_on == 30


def test_other_strategies_and_models() -> None:
    assert recommend(folder(RECORDS), total=80, model="mini", strategy="s1").strategy == "s1"
    with pytest.raises(UsageError, match=r"records are of 2 models: name one with --model \(mini, mini-e1\)"):
        recommend(folder(RECORDS), total=80)
    with pytest.raises(UsageError, match=r"no records of nobody under elastic .*: there are mini/elastic, mini/van"):
        recommend(folder(RECORDS), total=80, model="nobody")
    with pytest.raises(UsageError, match=r"no records of  ?under elastic with a finite budget: there are nothing"):
        recommend(folder([]), total=80)
    with pytest.raises(StrategyError, match="did you mean 'elastic'"):
        recommend(folder(RECORDS), total=80, strategy="elastik")
    for unbounded in ("l1-exact", "l1-max", "unconstrained"):
        with pytest.raises(UsageError, match=f"'{unbounded}': its budget bounds nothing.*use elastic, nothinking"):
            recommend(folder(RECORDS), total=80, strategy=unbounded)


def test_what_cannot_be_asked_is_refused() -> None:
    for wrong in ({}, {"total": 80, "accuracy": 0.5}):
        with pytest.raises(UsageError, match="give either a total of tokens or an accuracy"):
            recommend(folder(MINE), **wrong)
    for share in (0.0, -0.5, 40.0):
        with pytest.raises(UsageError, match=f"accuracy {share:g}: must be a share above 0 and up to 1"):
            recommend(folder(MINE), accuracy=share)


def test_where_nothing_fits_it_says_what_there_is() -> None:
    with pytest.raises(RecordsError, match=r"at most 27 tokens was measured: the smallest of .* is 8\+20, 28 in all"):
        recommend(folder(MINE), total=27)
    records = made({"8+20": 0.1, "24+20": 0.5})
    with pytest.raises(RecordsError, match=r"reaches an accuracy of 0.9 on the 20 problems .* to 0\.\d+ at 24\+20"):
        recommend(folder(records), accuracy=0.9)


def test_too_few_problems_are_refused() -> None:
    errors = [replace(record, error="no room", correct=None) for record in MINE]
    for records, split, num in ((errors, "test", 0), (MINE[: 2 * 3], "test", 3), (MINE[:2], "validation", 1)):
        with pytest.raises(RecordsError, match=f"{num} problems were graded under all of"):
            recommend(folder(records, split), total=10_000)
    assert recommend(folder(MINE[: 2 * 4]), total=10_000).num_measured_on == 2
