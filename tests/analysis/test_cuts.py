import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.analysis.cuts import after_right, after_settled, mended, spoiled
from make_ladder import make_ladder

ANSWERS = st.lists(st.lists(st.integers(-1, 2), min_size=4, max_size=4), min_size=1, max_size=6)


def test_tokens_after_the_answer_stood() -> None:
    ladder = make_ladder(
        [[0, 1, 0, 1, 1]],
        answers=[[5, 7, 6, 7, 7]],
        thinking=[[8, 16, 24, 40, 64]],
    )
    assert after_right(ladder).tolist() == [[0, 0, 0, 0, 24]]
    assert after_settled(ladder).tolist() == [[0, 0, 0, 0, 24]]
    assert mended(ladder).tolist() == [[True, False, True, False, False]]
    assert spoiled(ladder).tolist() == [[False, True, False, False, False]]


def test_an_answer_may_stand_wrong_and_no_answer_stands() -> None:
    ladder = make_ladder([[0, 0, 0], [0, 0, 0]], answers=[[5, 5, 5], [-1, -1, -1]], thinking=[[8, 16, 24]] * 2)
    assert after_right(ladder).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert after_settled(ladder).tolist() == [[0, 8, 16], [0, 0, 0]]


@given(ANSWERS)
def test_they_are_those_of_a_loop(answers: list[list[int]]) -> None:
    right = [[answer == 1 for answer in each] for each in answers]
    ladder = make_ladder(right, answers=answers, thinking=[[3, 5, 9, 17]] * len(answers))
    for n, each in enumerate(answers):
        for end in range(4):
            same = next(start for start in range(end + 1) if set(each[start : end + 1]) == {each[end]})
            after = ladder.thinking[n, end] - ladder.thinking[n, same]
            assert after_settled(ladder)[n, end] == (after if each[end] >= 0 else 0)
            assert after_right(ladder)[n, end] == (after if each[end] == 1 else 0)


def test_of_one_thinking_a_larger_budget_thinks_no_less_and_no_more_than_to_its_end() -> None:
    ladder = make_ladder(
        np.zeros((4, 3), bool),
        thinking=[[8, 16, 20], [8, 6, 20], [8, 12, 12], [8, 12, 13]],
        ended=[[False, False, True], [False, True, True], [False, True, True], [False, True, True]],
    )
    assert ladder.shares_thinking.tolist() == [True, False, True, False]
    assert ladder.where(ladder.shares_thinking).num_left_out == 2
