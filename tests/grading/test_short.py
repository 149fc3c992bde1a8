import pytest

from elastic_reasoning.grading.short import grade_choice, grade_text


@pytest.mark.parametrize(
    ("solution", "answer", "unboxed"),
    [
        (r"\boxed{C}", "C", False),
        (r"so \boxed{\text{(C)}}", "C", False),
        (r"\boxed{\textbf{(C)}\ 12}", "C", False),
        (r"not \boxed{A} but \boxed{C. Paris}", "C", False),
        (r"Answer: D, no: \boxed{C}. Answer: D", "C", False),
        ("Answer: C", "C", True),
        ("Answer: A\nAnswer: C", "C", True),
        ("**Answer:** (C), because", "C", True),
        ("The answer is (C).", "C", True),
        ("The correct answer is **C**", "C", True),
        ("Final Answer: $C$", "C", True),
        ("Answer:\n\nC) Paris", "C", True),
        ("between (A) and (C) I choose (C)", "C", True),
        ("the answer is not clear: (C)", "C", True),
        ("Answer: D", "D", True),
        (r"\boxed{12}", "12", False),
        ("Answer: I think it is (D)", "D", True),
        ("The correct answer is option C", "C", True),
        ("The answer is: choice C", "C", True),
        (r"\boxed{\text{Option (C)}}", "C", False),
        ("Answer: C because A is wrong", "C", True),
        ("Answer: C, I think", "C", True),
        (r"\boxed{C, 3}", "C", False),
        (r"\boxed{A, C}", "A, C", False),
        (r"\boxed{C, A}", "C, A", False),
        (r"\boxed{C \text{ and } A}", r"C \text{ and } A", False),
        (r"\boxed{\text{(C)}, \text{(A)}}", r"\text{(C)}, \text{(A)}", False),
        ("Answer: C or B", "C or B", True),
        ("Answer: (C) or (C)", "(C) or (C)", True),
        ("Answer: C/B, and/or (D)", "C/B, and/or (D)", True),
        ("Answer: C, B, and D", "C, B, and D", True),
        ("The answer is both (A) and (C).", "both (A) and (C).", True),
        ("Answer: either option A or option C", "either option A or option C", True),
        ("Answer: C triangle", None, True),
        (r"\boxed{C triangle}", "C triangle", False),
        ("Cats. A or C?", None, True),
        (r"\boxed{C", None, True),
        ("", None, True),
    ],
)
def test_the_letter_is_found(solution: str, answer: str | None, unboxed: bool) -> None:
    for reference in ("C", "(C)", r"\text{(C)}"):
        grade = grade_choice(reference, solution)
        assert (grade.answer, grade.unboxed, grade.correct) == (answer, unboxed, answer == "C")
        assert grade.reason == (None if answer == "C" else "no answer" if answer is None else "wrong answer")


@pytest.mark.parametrize(
    ("reference", "solution", "reason"),
    [
        ("Mount Everest", "The answer is mount Everest.", None),
        ("Paris", r"It is \boxed{\text{Paris}}.", None),
        ("the USA", "Answer: U.S.A.", None),
        ("City of Paris", "**Answer:** The city of Paris\nand so on", None),
        ("Zürich", "Answer: ZÜRICH", None),
        ("Paris", "Answer: London", "wrong answer"),
        ("Paris", "Answer: Paris or London", "wrong answer"),
        ("10", "Answer: 1 0", "wrong answer"),
        ("3.5", "Answer: 35", "wrong answer"),
        ("-5", "Answer: 5", "wrong answer"),
        ("-5", "Answer: \N{MINUS SIGN}5.", None),
        (".5", "Answer: 5", "wrong answer"),
        ("3/5", "Answer: 35", "wrong answer"),
        ("3,5", "Answer: 35", "wrong answer"),
        ("1,000", "Answer: 1000.", None),
        ("COVID-19", "Answer: (Covid19)", None),
        ("5", "Answer: (5)", None),
        ("A", "Answer: A.", None),
        ("A", "Answer: the", "wrong answer"),
        ("the", "Answer: a", "wrong answer"),
        ("?", r"\boxed{!}", "wrong answer"),
        ("?", r"\boxed{?}", None),
        ("Paris", "Paris, I think", "no answer"),
    ],
)
def test_short_texts_are_compared_without_case_articles_and_punctuation(
    reference: str, solution: str, reason: str | None
) -> None:
    for references in ([reference], ["something else", reference]):
        grade = grade_text(references, solution)
        assert (grade.reason, grade.correct) == (reason, reason is None)
        assert grade.unboxed == ("boxed" not in solution)
