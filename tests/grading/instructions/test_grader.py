"""Real processes with lm-evaluation-harness's checks."""

from collections.abc import Iterator
from typing import Any

import nltk
import pytest

from elastic_reasoning.core.errors import GradingError, MissingDependencyError
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.instructions import grader as graders
from elastic_reasoning.grading.instructions.grader import Instruction, InstructionGrader, complaint, require_checks
from punkt import use_small_punkt


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstructionGrader]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_small_punkt(tmp_path_factory.mktemp("nltk"), monkeypatch)
        made = InstructionGrader(num_workers=1, timeout_seconds=10.0)
        yield made
        made.close()


def tallies(grade: Grade) -> dict[str, tuple[int, int]]:
    return {name: (num, of) for name, num, of in grade.tallies}


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("punctuation:no_comma", {}, "One two", "One, two"),
    ("startend:quotation", {}, '"All of it"', "None of it"),
    ("detectable_format:title", {}, "<<Spring>>\nIt rains.", "Spring\nIt rains."),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "a: 1"),
    ("change_case:english_lowercase", {}, "this is written in small letters", "This is not"),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"}, "NO I SAY", "no"),
    ("keywords:existence", {"keywords": ["rain", "sun"]}, "Rain, then sun", "Rain alone"),
    ("keywords:letter_frequency", {"letter": "z", "let_frequency": 2, "let_relation": "at least"}, "Zzz", "az"),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": "at least"}, "#a #b", "#a b"),
    ("keywords:letter_frequency", {"letter": "!", "let_frequency": 2, "let_relation": "less than"}, "a!", "a!!"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "at least"}, "one two three", "one two"),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "less than"},
        "Dr. Who left. We saw him.",
        "Who left? We saw him. He left!",
    ),
    ("language:response_language", {"language": "de"}, "Das ist ein ganz normaler deutscher Satz.", "This is English."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "right", "wrong"), CASES)
def test_instructions(name: str, arguments: dict[str, Any], right: str, wrong: str, grader: InstructionGrader) -> None:
    asked = [Instruction(name, arguments)]
    good, bad = grader.grade("?", asked, right), grader.grade("?", asked, wrong)
    assert (good.correct, good.answer, good.reason) == (True, right, None)
    assert (bad.correct, bad.answer, bad.reason) == (False, wrong, f"not followed: {name}")
    assert tallies(bad)["strict instructions"] == (0, 1)


def test_all_must_be_followed_and_each_is_counted(grader: InstructionGrader) -> None:
    asked = [Instruction("punctuation:no_comma", {}), Instruction("startend:quotation", {})]
    grade = grader.grade("?", asked, "No comma and no marks")
    assert (grade.correct, grade.reason) == (False, "not followed: startend:quotation")
    assert tallies(grade) == {"strict instructions": (1, 2), "loose prompts": (0, 1), "loose instructions": (1, 2)}


def test_loosely_a_first_line_and_asterisks_are_forgiven(grader: InstructionGrader) -> None:
    asked = [Instruction("punctuation:no_comma", {}), Instruction("startend:quotation", {})]
    grade = grader.grade("?", asked, 'Sure, here it is:\n*"Hello there"*')
    assert not grade.correct
    assert tallies(grade) == {"strict instructions": (0, 2), "loose prompts": (1, 1), "loose instructions": (2, 2)}


def test_no_response_follows_nothing(grader: InstructionGrader) -> None:
    grade = grader.grade("?", [Instruction("punctuation:no_comma", {})], " \n")
    assert (grade.correct, grade.answer, grade.reason) == (False, None, "no answer")
    assert tallies(grade) == {"strict instructions": (0, 1), "loose prompts": (0, 1), "loose instructions": (0, 1)}


def test_the_same_response_has_the_same_grade(grader: InstructionGrader) -> None:
    """Published, these are of several languages from one time to the next."""
    asked = [Instruction("language:response_language", {"language": "en"})]
    for response in ("Hello world", "Alpha beta", "Yes no"):
        assert len({grader.grade("?", asked, response) for _ in range(8)}) == 1


@pytest.mark.parametrize("response", ["[" * 100_000, "*" * 5_000, " \n" * 3_000 + "x"])
def test_a_degenerate_response_is_graded_all_the_same(response: str, grader: InstructionGrader) -> None:
    asked = [
        Instruction("detectable_format:json_format", {}),
        Instruction("detectable_format:number_bullet_lists", {"num_bullets": 3}),
    ]
    assert not grader.grade("?", asked, response).correct
    assert grader.grade("?", asked[:1], "{}").correct


def test_a_response_that_takes_too_long_is_wrong(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = tmp_path / "checks.py"
    endless.write_text(
        "from elastic_reasoning.grading.process import serve\n"
        "def verdict(*request):\n    while True:\n        pass\n"
        "serve(verdict, 1 << 30)\n"
    )
    monkeypatch.setattr(graders, "CHECKS", endless)
    grader = InstructionGrader(num_workers=1, timeout_seconds=0.2)
    grade = grader.grade("?", [Instruction("punctuation:no_comma", {})], "x")
    grader.close()
    assert (grade.correct, grade.answer, grade.reason) == (False, "x", "time limit")
    assert tallies(grade)["loose prompts"] == (0, 1)


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (Instruction("punctuation:no_comma", {}), None),
        (Instruction("keywords:frequency", {"keyword": "#", "frequency": 2, "relation": "at least"}), None),
        (Instruction("punctuation:no_coma", {}), "an instruction that lm_eval checks, not 'punctuation:no_coma'"),
        (Instruction("startend:quotation", {"num_words": 3}), "what startend:quotation takes (TypeError:"),
        (Instruction("keywords:existence", {}), "keywords for keywords:existence"),
        (Instruction("length_constraints:number_words", {"num_words": 3, "relation": "most"}), "takes (ValueError:"),
        (Instruction("language:response_language", {"language": "xx"}), "takes (KeyError: 'xx')"),
    ],
)  # fmt: skip
def test_an_instruction_that_cannot_be_checked(
    instruction: Instruction, expected: str | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_small_punkt(tmp_path, monkeypatch)
    found = complaint(instruction)
    assert found is None if expected is None else expected in (found or "")


def test_a_missing_model_of_sentences_is_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(GradingError, match=r"run python -m nltk\.downloader punkt_tab, or name a folder"):
        require_checks()


def test_a_missing_package_is_said_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graders, "PACKAGES", ("no_such_package",))
    with pytest.raises(MissingDependencyError, match=r"pip install 'elastic-reasoning\[ifeval\]'"):
        require_checks()
