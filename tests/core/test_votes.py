import pytest

from elastic_reasoning.core.votes import answer_of, elected, stated_in


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{1} and then \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("\\boxed{12", "12"),  # not closed: the last number
        ("Answer: B", "B"),
        ("the answer is **1,234**.\nBye", "1234"),
        ("the answer is 4, or rather: answer 5", "5"),
        ("d *3 9 e +9 8 answer 8", "8"),
        ("first 3, then -7.5", "-7.5"),
        ("1,000 and 2,000", "2000"),
        ("  x  +  y ", "x+y"),
        ("the answer is \\boxed{3}", "3"),
        ("", ""),
    ],
)
def test_what_a_solution_answers_is_read_off_its_text(text: str, answer: str) -> None:
    assert answer_of(text) == answer


def test_only_what_is_said_to_be_the_answer_is_stated() -> None:
    assert stated_in("7 and 8") == ""
    assert stated_in("answer 8") == "8"
    assert stated_in("answer") == ""


def test_most_votes_win_and_a_tie_goes_to_the_first() -> None:
    assert elected(["7", "12", "12"]) == "12"
    assert elected(["7", "12"]) == "7"
    assert elected(["", "", "7"]) == "7"
    assert elected(["7", "12", "12"], [5, 2, 2]) == "7"
    assert elected(["", ""]) == ""
    assert elected([]) == ""
