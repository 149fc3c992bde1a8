from collections.abc import Iterator
from contextlib import closing

import pytest

from elastic_reasoning.grading.answers.assumptions import RELAXED, relaxed
from elastic_reasoning.grading.answers.latex import read
from elastic_reasoning.grading.answers.mathematics import MathGrader
from elastic_reasoning.grading.answers.rules import ALL, DEFAULT, RULES


@pytest.fixture(scope="module")
def graders() -> Iterator[tuple[MathGrader, MathGrader]]:
    with closing(MathGrader(1)) as grader, closing(MathGrader(1, rules=ALL)) as lenient:
        yield grader, lenient


@pytest.mark.parametrize(
    ("reference", "answer", "rule"),
    [
        ("(1,2)", "(2,1)", "order ignored"),
        ("(1,2,3)", r"\{3,2,1\}", "order ignored"),
        ("(1,2)", "[1,2]", "brackets ignored"),
        ("(1,2]", "[1,2)", "brackets ignored"),
        ("x=5", "y=5", "other name"),
        ("f(x)=x+1", "y=x+1", "other name"),
        ("5", "m+n=5", "left side left out"),
        ("25", "x^2+y^2=25", "left side left out"),
        ("1,2", "1,1,2", "repeats ignored"),
        (r"5\text{ kJ}", r"5\text{ J}", "unit ignored"),
        (r"7\text{ dogs}", r"7\text{ cats}", "unit ignored"),
        ("C", "c", "case ignored"),
        ("1538", "1538.46", "rounded reference"),
        ("5", "6", "unequal"),
        ("x=5", "y=6", "unequal"),
        (r"5\text{ kJ}", r"6\text{ J}", "unequal"),
        ("(1,2)", "(2,2)", "unequal"),
        ("x>2", "y>2", "unequal"),
    ],
)
def test_what_is_rejected_for_its_form_is_equal_by_a_rule_that_is_off(
    graders: tuple[MathGrader, MathGrader], reference: str, answer: str, rule: str
) -> None:
    assert [grader.compare([reference], answer) for grader in graders] == ["unequal", rule]


def test_each_change_has_a_rule_that_is_off() -> None:
    assert set(RELAXED) <= {rule.name for rule in RULES if rule.assumes and not rule.default}
    assert set(RELAXED) & DEFAULT == set()


@pytest.mark.parametrize("rule", RELAXED)
@pytest.mark.parametrize("answer", ["x=(1,2)", r"\text{Ann: }7\text{ cm}", r"\{1,1\}", "B", "50\\%", "2:30", "n=k+m=5"])
def test_a_change_leaves_a_normal_form(rule: str, answer: str) -> None:
    once = relaxed(rule, read(answer))
    assert relaxed(rule, once) == once
