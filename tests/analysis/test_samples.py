from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.analysis.equivalence import Equivalence, _latex, form_of
from elastic_reasoning.analysis.samples import are_programs, ks, majority, pass_at, percentile
from elastic_reasoning.records.record import Record
from make_records import make_records

ONE = make_records(1, 1, budgets=["8+20"], models=["mini"], strategies=["elastic"])[0]


def answers(*found: str | None, right: tuple[str, ...] = ("7",)) -> list[Record]:
    return [replace(ONE, sample=n, answer=answer, correct=answer in right) for n, answer in enumerate(found)]


def test_pass_at_k_is_the_share_of_the_subsets_with_a_right_sample() -> None:
    for n in range(1, 8):
        for c, k in product(range(n + 1), range(1, n + 1)):
            subsets = list(combinations([True] * c + [False] * (n - c), k))
            assert pass_at(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets)), (n, c, k)


@given(st.integers(1, 300), st.data())
def test_pass_at_k_grows_with_k_from_the_share_of_right_samples(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    chances = [pass_at(n, c, k) for k in ks(n)]
    assert chances[0] == pytest.approx(c / n)
    assert chances == sorted(chances)
    assert chances[-1] == (c > 0)


@pytest.mark.parametrize("k", [0, 5])
def test_pass_at_k_needs_k_samples(k: int) -> None:
    with pytest.raises(ValueError, match=rf"pass@{k} of 4 samples"):
        pass_at(4, 2, k)


@pytest.mark.parametrize(
    ("num", "expected"), [(0, []), (1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]), (9, [1, 2, 4, 8, 9])]
)
def test_ks(num: int, expected: list[int]) -> None:
    assert ks(num) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["7"], 1),
        (["8"], 0),
        (["7", "7", "8"], 1),
        (["7", "8", "8"], 0),
        (["7", "8"], 0.5),
        (["7", "8", "9"], pytest.approx(1 / 3)),
        (["7", "7", "8", "8", "9"], 0.5),
        ([None, None, None, "7"], 1),  # who has no answer does not vote
        ([None, None], 0),
        (["8", " 8", "8 ", "7", "7"], 0),  # one answer, whatever its spaces
    ],
)
def test_the_majoritys_answer(found: list[str | None], expected: float) -> None:
    assert majority(answers(*found)) == expected


def test_right_answers_are_one_class_however_they_are_written() -> None:
    assert majority(answers("0.5", "1/2", "2", "2", right=("0.5", "1/2"))) == 0.5
    assert majority(answers("0.5", "1/2", r"\frac12", "2", "2", right=("0.5", "1/2", r"\frac12"))) == 1


@pytest.fixture(scope="module")
def equivalence() -> Iterator[Equivalence]:
    with closing(Equivalence()) as equivalence:
        yield equivalence


def judged(*found: tuple[str, bool]) -> list[Record]:
    return [replace(ONE, sample=n, answer=answer, correct=correct) for n, (answer, correct) in enumerate(found)]


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        (["3"], ["1/2", "0.5"], 0),  # two votes for one half, one for three
        (["3"], [r"\frac{1}{2}", r"\frac12", "x=0.5"], 0),
        (["3", "3"], ["0.5", r"\dfrac{1}{2}"], 0.5),
        (["3", "3.0", "6/2"], ["0.5", "1/2", "2"], 1),
        (["3", "3"], ["0.5", "1/3", "1/4"], 1),
        (["3", "3"], [r"\sqrt{8}", r"2\sqrt{2}"], 0.5),
        (["3"], [r"\sqrt{8}", r"2\sqrt{2}"], 0),
        (["3", "3"], [r"\sqrt{8}", r"\sqrt{7}", "x+1", "x+2"], 1),
        (["3", "3"], ["x+1", "1+x", r"\frac{2x+2}{2}"], 0),
        (["3", "3"], ["5 cm", "5"], 0.5),
        (["3"], ["no", r"\text{No}"], 0),
        (["3", "3"], ["(1,2)", r"\left(1, 2\right)", "(2,1)"], 0.5),
        (["3", "3"], ["1,2", "2,1", r"\{1,2\}"], 0),
        (["3", "3"], ["1,234", "1234", "1235"], 0.5),
        (["3"], ["0.333333", r"\frac{1}{3}"], 0),
        (["3", "3"], ["0.333", r"\frac{1}{3}", "0.33"], 1),
        (["3", "3"], ["x" * 3000, "x" * 2999, "x" * 3001], 1),
        (["3", "3"], ["x" * 3000, " " + "x" * 3000], 0.5),
        (["3", "3"], ["9^{9^{9^{9}}}", "8^{9^{9^{9}}}", "2"], 1),
    ],
)
def test_wrong_answers_are_one_class_by_their_value_too(
    equivalence: Equivalence, right: list[str], wrong: list[str], expected: float
) -> None:
    samples = [*((answer, True) for answer in right), *((answer, False) for answer in wrong)]
    for order in (samples, samples[::-1], samples[1:] + samples[:1]):
        assert majority(judged(*order), equivalence) == expected


def test_a_class_over_others_is_one_class() -> None:
    # "5 cm" and "5 m" differ, and each equals "5"
    samples = judged(("3", True), ("3", True), (r"5 \text{ cm}", False), (r"5 \text{ m}", False), ("5", False))
    assert majority(samples) == 0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([("7", True), ("7", False)], 0.5),
        ([("7", True), ("7", False), ("8", False)], 0.5),
        ([("7", True), ("7", True), ("7.0", False), ("8", False)], 2 / 3),
        ([("0.5", True), ("1/2", False), ("8", False), ("8", False)], 0.25),
        ([("7", True), ("7", False), ("8", False), ("8", False), ("8", False)], 0),
    ],
)
def test_one_answer_with_two_verdicts_is_one_class_that_is_partly_right(
    found: list[tuple[str, bool]], expected: float
) -> None:
    assert majority(judged(*found)) == pytest.approx(expected)


def test_nothing_is_compared_where_it_cannot_change_the_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise AssertionError

    monkeypatch.setattr(Equivalence, "same", refuse)
    assert majority(judged(("3", True), ("3", True), (r"\sqrt{8}", False))) == 1
    assert majority(judged(("3", True), (r"\sqrt{8}", False), (r"\sqrt{8}", False), ("x", False))) == 0
    assert majority(judged((r"\sqrt{8}", False), (r"2\sqrt{2}", False))) == 0
    assert majority([]) == 0


def test_each_pair_is_compared_once_and_the_process_ends_with_it() -> None:
    forms = [form_of(answer) for answer in (r"\sqrt{8}", r"2\sqrt{2}", "x")]
    with closing(Equivalence()) as equivalence:
        for one, other in product(forms, forms):
            assert equivalence.same(one, other) == equivalence.same(other, one) == ((one == "x") == (other == "x"))
        assert len(equivalence._known) == 3


@pytest.mark.parametrize(
    ("one", "other"), [("0.5", r"\frac{1}{2}"), ("3/6", "0.50"), ("-7", "-7.0"), ("1,000", "1000"), ("2", "$2$")]
)
def test_rational_numbers_have_one_form(one: str, other: str) -> None:
    assert form_of(one) == form_of(other)
    assert isinstance(form_of(one), Fraction)


@given(st.lists(st.sampled_from(["7", "8", "9", None]), min_size=1, max_size=9), st.randoms())
def test_the_order_of_votes_does_not_matter(found: list[str | None], rng: object) -> None:
    shuffled = list(found)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert majority(answers(*found)) == majority(answers(*shuffled))


def test_programs_are_told_from_answers() -> None:
    assert are_programs(answers("n = int(input())\nprint(n)", "print(1)\nprint(2)", "print(1)", None))
    assert not are_programs(answers("7", "8\n", r"\begin{pmatrix} 1 \\" + "\n" + r"2 \end{pmatrix}"))
    assert not are_programs(answers(None, None))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.sampled_from([5, 50, 95, 100]))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(values: list[int], percent: int) -> None:
    needed = ceil(percent * len(values) / 100)
    expected = min(value for value in values if sum(each <= value for each in values) >= needed)
    assert percentile(values, percent) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 95) is None


@pytest.mark.parametrize(
    "text", ["0.5", "-0.05", "7", "-12", "0.333333", "1234567.25", r"\frac{1}{3}", r"\frac{-2}{7}"]
)
def test_a_number_is_handed_to_the_grader_as_the_same_number(text: str) -> None:
    assert form_of(str(_latex(form_of(text)))) == form_of(text)
