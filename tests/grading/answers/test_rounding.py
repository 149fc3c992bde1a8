from collections.abc import Iterator
from contextlib import closing

import pytest

from elastic_reasoning.grading.answers.mathematics import MathGrader
from elastic_reasoning.grading.answers.rounding import RULE
from elastic_reasoning.grading.answers.rules import DEFAULT

# reference | answer
ACCEPTED = r"""
1538 | 1538.46
1538 | 1537.5
0.53 | 0.533
0.53 | \frac{8}{15}
0.53 | 0.5349
-0.53 | -0.533
3.14 | \pi
2.20 | 2.2024
1.6 \times 10^{-18} | 1.602 \times 10^{-18}
1.6e-18 | 1.602e-18
4.5 | \sqrt{20}
(1.4, 1.7) | (\sqrt{2}, \sqrt{3})
1.4, 1.7 | \sqrt{2}, \sqrt{3}
12\% | 12.3\%
1538 | 1538.46 \text{ km}
1538 \text{ km} | 1538.46
12 | 12.0000001
x = 0.53 | x = 0.533
0.53 | x = 0.533
"""
REJECTED = r"""
1538 | 1538.51
1538 | 1537.4
0.533 | 0.53
0.53 | 0.536
0.53 | 0.5
0.53 | -0.533
0.530 | 0.533
3.142 | 3.14
1538 | 1540
1.6 \times 10^{-18} | 1.7 \times 10^{-18}
1.6 \times 10^{-18} | 0
(1.4, 1.7) | (\sqrt{3}, \sqrt{2})
\frac{8}{15} | 0.53
\pi | 3.14
x | 0.5
0.53 | x
x = 0.53 | y = 0.533
5 \text{ cm} | 5.2 \text{ m}
\text{no} | 0
"""
CASES = [
    (*line.split(" | "), table is ACCEPTED) for table in (ACCEPTED, REJECTED) for line in table.strip().splitlines()
]


@pytest.fixture(scope="module")
def graders() -> Iterator[tuple[MathGrader, MathGrader]]:
    with closing(MathGrader(1)) as strict, closing(MathGrader(1, rules=DEFAULT | {RULE})) as rounding:
        yield strict, rounding


@pytest.mark.parametrize(("reference", "answer", "accepted"), CASES)
def test_an_answer_that_rounds_to_the_reference_is_accepted_when_asked_for_and_named(
    graders: tuple[MathGrader, MathGrader], reference: str, answer: str, accepted: bool
) -> None:
    strict, rounding = graders
    solution = rf"\boxed{{{answer}}}"
    assert not strict.grade([reference], solution).correct
    grade = rounding.grade([reference], solution)
    assert (grade.correct, grade.rule) == (accepted, RULE if accepted else "")


def test_what_is_right_without_rounding_rests_on_another_rule(graders: tuple[MathGrader, MathGrader]) -> None:
    for grader in graders:
        for references in (["0.5"], ["1", "0.5"]):
            grade = grader.grade(references, r"\boxed{\frac{5}{10}}")
            assert (grade.correct, grade.rule) == (True, "same value")
