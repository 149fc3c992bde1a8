from dataclasses import replace
from itertools import combinations, product
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.evaluation.record import Record
from elastic_reasoning.evaluation.samples import are_programs, ks, majority, pass_at, percentile
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
