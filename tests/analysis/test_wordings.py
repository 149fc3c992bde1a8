"""Wordings beside none: what is better, how sure that is, and which problems say so."""

from dataclasses import replace
from statistics import mean

import pytest

from elastic_reasoning.analysis.candidates import halves
from elastic_reasoning.analysis.errorbars import paired_means
from elastic_reasoning.analysis.wordings import NO_TEXT, WordingChoice, choose_wording
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record
from make_records import make_records

BARE = [
    record
    for record in make_records(40, 2, budgets=["24+20"], models=["mini"], strategies=["elastic"])
    if record.strategy == "elastic"
]
PROBLEMS = sorted({record.problem for record in BARE})


def graded(num_right: int) -> list[Record]:
    """The first so many problems right, in order of their names."""
    return [replace(record, correct=PROBLEMS.index(record.problem) < num_right) for record in BARE]


def choose(held_out: bool = True, **num_right: int) -> WordingChoice:
    texts = {NO_TEXT if text == "none" else text: Records.of(graded(num)) for text, num in num_right.items()}
    return choose_wording(texts, held_out)


def test_the_best_is_chosen_on_one_half_and_measured_on_the_other() -> None:
    choice = choose(none=10, a=20, b=36)
    chosen, measured = halves(PROBLEMS, held_out=True)
    assert (choice.best, choice.held_out, choice.num_chosen_on, choice.num_measured_on) == ("b", True, 20, 20)
    assert not set(chosen) & set(measured)
    grades = {num: [[float(PROBLEMS.index(problem) < num)] * 2 for problem in measured] for num in (10, 36)}
    means = paired_means(grades[10], grades[36])
    assert (choice.difference, choice.se) == pytest.approx((means.difference, means.se))
    assert choice.accuracy == pytest.approx(mean(grade for each in grades[36] for grade in each))
    assert choice.clear


def test_each_text_is_beside_none_on_all_problems_with_p_values_for_all() -> None:
    choice = choose(none=10, a=20, b=11)
    gains = {each.text: each.pair.difference for each in choice.wordings}
    assert gains == pytest.approx({"a": 0.25, "b": 0.025})
    a, b = (each.pair for each in choice.wordings)
    assert (a.num_problems, a.accuracy_a, a.accuracy_b) == (40, 0.25, 0.5)
    assert a.p_value is not None
    assert a.p_holm == pytest.approx(2 * a.p_value)
    assert b.p_holm == pytest.approx(b.p_value)


def test_where_none_is_better_no_text_is_the_best() -> None:
    choice = choose(none=20, a=20, b=5)
    assert (choice.best, choice.difference, choice.se, choice.clear) == (NO_TEXT, None, None, False)


def test_validation_problems_are_all_chosen_on() -> None:
    choice = choose(held_out=False, none=10, a=20)
    assert (choice.num_chosen_on, choice.num_measured_on, choice.difference) == (40, 40, pytest.approx(0.25))


def test_plain_data() -> None:
    data = choose(none=10, a=20).to_dict()
    assert data["best"] == "a"
    assert [(each["text"], each["a"]) for each in data["wordings"]] == [("a", "mini/elastic/24+20")]


def test_too_few_problems_are_refused() -> None:
    few = [record for record in graded(9) if record.problem in PROBLEMS[:3]]
    with pytest.raises(RecordsError, match="3 problems were graded under all 2 texts, and at least 4"):
        choose_wording({NO_TEXT: Records.of(few), "a": Records.of(few)}, held_out=True)
