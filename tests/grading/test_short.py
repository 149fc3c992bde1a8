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
    ("solution", "answer"),
    [
        ("\\boxed{\\langle H\\rangle \\ll \\Delta E} so\n**Answer: D**", "D"),
        ("\\boxed{b}", "B"),
        ("答案：B", "B"),
        ("答案是B。", "B"),
        ("正确答案是 (B)", "B"),
        ("故选：B", "B"),
        ("所以选择 B。", "B"),
        ("答えは B です。", "B"),
        ("正解：B", "B"),
        ("정답: B", "B"),
        ("정답은 B입니다.", "B"),
        ("Antwort: B", "B"),
        ("Die richtige Antwort ist B.", "B"),
        ("La bonne réponse est la B.", "B"),
        ("Réponse : B", "B"),
        ("La respuesta correcta es la B)", "B"),
        ("Respuesta: b)", "B"),
        ("A resposta correta é a letra B.", "B"),
        ("Resposta: B", "B"),
        ("Ответ: B", "B"),
        ("Правильный ответ: B", "B"),
        ("Risposta: B", "B"),
        ("\\boxed{\\textbf{(B)}\\ 12}", "B"),
        ("\\boxed{(b)}", "B"),
        ("\\boxed{B.}", "B"),
        ("\\boxed{B) 12}", "B"),
        ("\\boxed{\\text{option B}}", "B"),
        ("\\boxed{\\text{b) Paris}}", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("B) 12", "B"),
        ("option B", "B"),
        ("**B**", "B"),
        ("We get 12.\n\nB", "B"),
        ("So I choose option (B).", "B"),
        ("Option B is correct.", "B"),
        ("B is the correct answer.", "B"),
        ("The correct option is **B**", "B"),
        ("The answer is b.", "B"),
        ("\\boxed{\\mathrm{B}}", "B"),
        ("\\boxed{Ｂ}", "B"),
        ("答案：（B）", "B"),
        ("Answer: Ⓑ", "B"),
        ("<answer>B</answer>", "B"),
        ("<answer>(b)</answer>", "B"),
        ("Final Answer: B", "B"),
        ("### Answer\nB", "B"),
        ("The answer is not (B).", None),
        ("The answer is not B.", None),
        ("I would not choose B.", None),
        ("B is not correct.", None),
        ("Answer: a triangle", None),
        ("\\boxed{ab}", "ab"),
        ("\\boxed{2b}", "2b"),
        ("\\boxed{b^2}", "b^2"),
        ("\\boxed{a+b}", "a+b"),
        ("\\boxed{b = 3}", "b = 3"),
        ("eliminate (B)", None),
        ("A good question.", None),
        ("\\boxed{12}\nAnswer: (B) 12", "B"),
        ("\\boxed{}\nAnswer: B", "B"),
        ("\\boxed{A}\nAnswer: B", "A"),
        ("答案不是B", None),
        ("We consider a\nb", None),
        ("Answer: b or c", None),
        ("\\boxed{B, C}", "B, C"),
        ("I think so.", None),
        ("Both (A) and (B) are wrong", None),
        ("A", "A"),
        ("Lösung: B", None),
        ("The answer is B, not C.", "B"),
        ("\\boxed{\\text{B and C}}", "\\text{B and C}"),
        ("Choose (C) or (D)? I choose (D)", "D"),
        ("답: B", "B"),
        ("\\boxed{\\textbf{B}}", "B"),
        ("\\boxed{\\textbf{(B) } 12}", "B"),
        ("选B", "B"),
        ("不选B", None),
        ("\\boxed{I}", "I"),
        ("\\boxed{i}", "I"),
        ("The correct answer is option D: 4", "D"),
        ("Đáp án: B", "B"),
        ("The answer must be (B).", "B"),
        ("So the answer is choice (b)", "B"),
    ],
)
def test_letters_in_boxes_labels_and_sentences_of_many_languages(solution: str, answer: str | None) -> None:
    assert grade_choice("B", solution).answer == answer


@pytest.mark.parametrize("piece", ["(A) ", "choose B ", "A is ", "(", r"\a", "option ", "选 ", "_", " ", "\n"])
def test_long_texts_come_to_an_end(piece: str) -> None:
    grade_choice("B", piece * 30_000 + "(C)")


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
