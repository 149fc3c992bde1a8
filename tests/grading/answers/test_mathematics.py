r"""Answers against references, by hand, by drawn numbers and by the rows of the benchmarks."""

import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.errors import MissingDependencyError
from elastic_reasoning.grading.answers.mathematics import MathGrader
from elastic_reasoning.grading.answers.rules import DEFAULT
from shared_data import BENCHMARKS, SAVED, needs_data, rows

# reference | answer
EQUAL = r"""
8.7 \times 10^{8} | 8.7e8
8.7e8 | 8.7 \times 10^{8}
8.7e8 | 870000000
100 | 1.e2
500 | .5e3
0 | 0.E0
8.7 \times 10^{8} | 8.7 × 10⁸
8.7 \times 10^{8} | 8.7 x 10^8
8.7 \times 10^{8} | 8.7*10^8
1 \times 10^{-3} | 1e-3
1 \times 10^{-3} | 0.001
1 \times 10^{11} | 10^{11}
12 | 12^{\mathrm{th}}\text{ grade}
12 | 12^{\text{th}} \text{ grade}
12 | 12th grade
12 | 12^{th}
15000 | 15,000\,
15000 | 15,000
15000 | 15\,000
15000 | 15{,}000
15000 | 15,\!000
15000 | \$15,000
5.4 \text{ dollars} | \$5.40
\$18.90 | 18.9
15,000 | 15000
-3./2 | -\frac{3}{2}
-3./2 | -1.5
x^2 | x²
x^{10} | x¹⁰
\frac{1}{2}(\exp{a*t} + \exp{-a*t}) | \frac{e^{at} + e^{-at}}{2}
\frac{1}{2}(\exp{a*t} + \exp{-a*t}) | \cosh(at)
(16,3,1,1) | 16,3,1,1
16,3,1,1 | (16,3,1,1)
16,3,1,1 | 1,1,3,16
1,3 | 3,1
1,3 | \{1, 3\}
1,3 | 1 \text{ and } 3
1,3 | 1 and 3
1,3 | x = 1, x = 3
1,3 | x=1 \text{ or } x=3
1,3 | x=1 or x=3
1,-1 | \pm 1
3 \pm 2\sqrt{2} | 3+2\sqrt{2}, 3-2\sqrt{2}
\{1\pm\sqrt{5},-2\} | -2, 1+\sqrt{5}, 1-\sqrt{5}
15\mbox{ cm}^2 | 15
15\mbox{ cm}^2 | 15 \text{ square cm}
15\mbox{ cm}^2 | 15\,\mathrm{cm}^{2}
864 \mbox{ inches}^2 | 864
864 | 864 \text{ square inches}
5 | 5 \text{ m/s}
5 | 5\text{ units}
5 | 5 cm
5 | 5 \text{ sq. ft}
\sin 30^\circ | \frac{1}{2}
x^{10} | x^10
\log_2 8 | \log_28
L_{\odot}+2 | 2+L_{\odot}
5 | 5 students
5.4 \text{ cents} | 5.4
90^\circ | 90
90 | 90^{\circ}
90^\circ | 90 \text{ degrees}
\frac{270}7\text{ degrees} | \frac{270}{7}
\text{No} | No
No | \text{no}
\text{Evelyn} | Evelyn
\text{even} | \textbf{even}
\perp | \perp
\text{(C)} | C
\text{(C)} | (C)
\text{(C)} | \text{C}
C | \textbf{(C)}
4210_{5} | 4210_5
4210_{5} | 4210_{5}
0.5 | \frac{1}{2}
\frac12 | 1/2
\frac{1}{3} | 0.333333
\frac{1}{3} | 0.3333333333
\pi | 3.141593
137 \frac{1}{2} | 137.5
1\frac{4}{5} | \frac{9}{5}
.35625 | 0.35625
025 | 25
10^{100} | 10^{100}
50\% | 50
50\% | 0.5
8 \% | 8
\$32,\!348 | 32348
y = 2x + 3 | 2x+3
y = 2x + 3 | y = 3 + 2x
f(x)=x+1 | x+1
x \in [-2,7] | [-2,7]
[-2,7] | x \in [-2, 7]
(-\infty, 2) \cup (3, \infty) | (3,\infty) \cup (-\infty,2)
\left( 3, \frac{\pi}{2} \right) | (3, \pi/2)
p - q | -q+p
(a+5)(b+2) | ab+2a+5b+10
\begin{pmatrix} -1/3 \\ 2/3 \end{pmatrix} | \begin{pmatrix} -\frac{1}{3} \\ \frac{2}{3} \end{pmatrix}
6 - 5i | -5i+6
\sqrt{2}/2 | \frac{1}{\sqrt{2}}
11\sqrt2 | 11\sqrt{2}
2^{1009} | 2^{1009}
\frac{K-1}{L} | \frac{K}{L} - \frac{1}{L}
5 | 5.
5 | {5}
5 | 5.0
5 | \text{5}
5 | x = 5
k=3 | 3
\infty | +\infty
12:30 | 12:30
2\pi \text{ cm} | 2\pi
10\text{ m} | 10\text{ meters}
\frac{3\sqrt{3}}{4} | \frac{3}{4}\sqrt{3}
(1,2),(3,4) | (3,4),(1,2)
(1,2) | (1,2)
(1,2) | \left(1,\ 2\right)
(1,2) | (x,y)=(1,2)
1:2:3 | 2 : 4 : 6
1:2:3 | \frac{1}{3}:\frac{2}{3}:1
1:2:3 | x:y:z = 1:2:3
1:\sqrt{3}:2 | \sqrt{3}:3:2\sqrt{3}
a:b:c | 2a:2b:2c
1:2 | 2:4
6-5i | 6 - 5 i
3+4i | 3+4\,i
3+4i | 3 + 4 \cdot i
2i | 2\mathrm{i}
2i | 2 \text{i}
1+\sqrt{3}i | 1+\sqrt{3}\,\text{i}
2i,-2i | \pm 2 i
\frac{4A}{3+3i}e^{it} | \frac{4 A}{3+3 i} e^{i t}
x<2 | (-\infty,2)
(-\infty,2) | x<2
(-\infty,2] | x \le 2
(5,\infty) | x>5
1<x<2 | (1,2)
(1,2] | 1 < x \leq 2
[1,2] | 1 \le x \le 2
\mathbb{R} | (-\infty,\infty)
(-\infty,\infty) | x \in \mathbb{R}
5 | =5
3.14 | \approx 3.14
3.14 | x \approx 3.14
\emptyset | \{\}
\{\} | \varnothing
\frac{1}{3} | 0.\overline{3}
\frac{3}{11} | 0.\overline{27}
\frac{10}{3} | 3.\overline{3}
-\frac{1}{6} | -0.1\overline{6}
0.\overline{9} | 1
2 1/3 | \frac{7}{3}
-\frac{7}{3} | -2 1/3
x = 2 1/2 | 2.5
\text{June 5} | June 5
June 5 | \text{June 5}
\text{A, B} | A, B
A, B | \text{A, B}
\text{ABC} | ABC
ABC | \text{ABC}
0.003 | 0.003^{\prime\prime}
30^\circ 15' | 30^{\circ}15^{\prime}
"""
DIFFERENT = r"""
4210_{5} | 4210
4210_{5} | 4210_{6}
4210 | 4210_{5}
4210_5 | 555
16,3,1,1 | 16,3,1
16,3,1 | 16,3,1,1
-2,-2 | -2
-2 | -2,-2
\{1,2\} | (1,2)
(1,2) | (2,1)
(1,2) | [1,2]
(2,\infty) | [2,\infty)
1,3 | 1
1,3 | 1,4
2 | 2t
2t | 2
\frac{1}{m} t | \frac{1}{m}
5m | 5
\frac{R}{r} | 1
C | c
AB | ab
f'(x) | f(x)
y'' | y'
\text{no} | \text{on}
no | on
\text{all even} | \text{all odd}
\text{even} | \text{odd}
\text{(C)} | D
1e-20 | 2e-20
4.6 \times 10^{-24} | 1.325 \times 10^{-27}
1 \times 10^{-8} | 0
0 | 0.0000001
0.0000001 | 0
0.333 | \frac13
0.3 | \frac13
3.14 | \pi
\pi | 3.14
1000000 | 1000001
1000000 | 1000000.5
1234567.8 | 1234567.9
10^{100} | 10^{100}+1
0.333333 | 0.333334
9^{20} | 9^{20}+1
8.7e8 | 8.7e9
8.7e8 | 8.7
5\text{ million} | 5
5 | 5 \text{ million}
5 | 5 \text{ dozen}
5\text{ cm} | 5\text{ m}
5\text{ h} | 5\text{ min}
12 \text{ pm} | 12 \text{ am}
5 | 5\text{ or more}
1 1/2 | 11/2
1\frac12 | \frac{11}{2}
12 | 1 2
15,000 | 15
15,000 | 15, 0
10,080 | 10, 80
n | n \text{ even}
-5 | 5
5 | -5
x^2 | x_2
x^2 | x^3
x_1 | x_2
x_{1} | x
\frac{1}{2} | \frac{2}{1}
x=1 | x=2
x=1 | y=1
x<1 | x>1
x \le 1 | x<1
f(x)=x,f(x)=2-x | f(x)=x
6 | 6!
2^3 | 23
23 | 2^3
\sqrt{2} | 2
-\sqrt{2} | \sqrt{2}
1+i | 1-i
50\% | 5
50\% | 50.5
0.5 | 50.1\%
90^\circ | \frac{\pi}{2}
90 | 9
\perp | \parallel
\text{No} | \text{Yes}
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix} 2 \\ 1 \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix} 1 & 2 \end{pmatrix}
(-\infty, 2) \cup (3, \infty) | (-\infty,2)
2\text{nd} | 3\text{rd}
2nd | 2
2mg | 2
2ft | 2
2abcd | 2
5 | 5\text{!}
12 \text{ a.m.} | 12 \text{ p.m.}
10^{3},10 | (10, 1000)
36^\circ | \$36
1.5 | 1,5
1,5 | 1.5
11 | 1,1
123 | 1,2,3
\log_2 8 | \log 8
n! | n
\lfloor n/2 \rfloor | n/2
\binom{n}{2} | \frac{n}{2}
2^n | 2n
\sin 30^\circ | \sin 30
x^T | x
5 \text{ if } n \text{ is odd} | 5
5 | 5 \text{ if } n \text{ is odd}
5 | 5 \text{ and } 6
3 | 3, 4
2\sqrt{3} | 2
2\pi | 2
5x | 5
7.6 Z | 7.6
100 | 1
20 | 2000
1:2:3 | 1:3:2
1:2:3 | 1:2:4
1:2:3 | 1:2
1:2:3 | 1:2:3:4
1:2:3 | 1:2:-3
1:2:3 | \frac{1}{6}
1:2:3 | (1,2,3)
0:0:0 | 1:2:3
2i | 2
3+4i | 3-4 i
5i | 5 \text{ in}
(-\infty,2) | x \le 2
x \le 2 | (-\infty,2)
(-\infty,2] | x<2
(1,2] | 1<x<2
(1,2) | x<2
(1,2) | 1 \le x \le 2
[1,2] | x=1
(-\infty,2) | x>2
(-\infty,\infty) | \mathbb{Z}
(1,2) | \mathbb{R}
\emptyset | 0
\{0\} | \{\}
\pi | \approx 3.14
0.\overline{3} | 0.3
0.\overline{27} | 0.27
2 1/3 | 21/3
2 1/3 | 2, 1/3
\text{June 5} | June 6
\text{June 5} | June -5
\text{ABC} | ACB
\text{A, B} | A, C
-5 | \text{5}
0.003^{\prime} | 0.003^{\prime\prime}
30^\circ 15' | 30^\circ 15''
30^\circ 15' | 30^\circ 15
"""


def pairs(table: str) -> list[tuple[str, str]]:
    found = [line.partition(" | ") for line in table.strip().splitlines()]
    return [(reference, answer) for reference, _, answer in found]


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    with closing(MathGrader(num_workers=1)) as grader:
        yield grader


@pytest.fixture(scope="module")
def hurried_grader() -> Iterator[MathGrader]:
    with closing(MathGrader(num_workers=1, timeout_seconds=1.0)) as grader:
        yield grader


@pytest.mark.parametrize(("reference", "answer"), pairs(EQUAL))
def test_what_is_equal_is_accepted(grader: MathGrader, reference: str, answer: str) -> None:
    grade = grader.grade([reference], rf"Hence $\boxed{{{answer}}}$.")
    assert (grade.correct, grade.reason, grade.answer) == (True, None, answer)


@pytest.mark.parametrize(("reference", "answer"), pairs(DIFFERENT))
def test_what_differs_is_rejected(grader: MathGrader, reference: str, answer: str) -> None:
    grade = grader.grade([reference], rf"Hence $\boxed{{{answer}}}$.")
    assert (grade.correct, grade.reason, grade.answer) == (False, "wrong answer", answer)


@pytest.mark.parametrize(
    ("solution", "answer", "unboxed"),
    [
        (r"\boxed{1} or rather \boxed{2}", "2", False),
        (r"\boxed{1} or rather \boxed{2", None, True),
        (r"\boxed{2}, which is not 1. Final Answer: 1", "2", False),
        (r"\boxed{x = \boxed{2}}", "2", False),
        (r"\fbox{2}", "2", False),
        (r"\boxed{ \{2\} }", r"\{2\}", False),
        (r"\boxed{2} \boxed{}", None, True),
        (r"\boxed 2", "2", False),
        ("Answer: 2", "2", True),
        ("so the number of ways is 2.", "2", True),
        (r"{ } } \boxed{\frac{4}{2}}", r"\frac{4}{2}", False),
        ("Final Answer: 1\nFinal Answer: 2\n3", "2", True),
        ("**Final Answer:**\n\n$2$.", "2", True),
        ("The final answer is: $2$. I hope it is correct.", "2", True),
        ("the final answer is 2.0. Done", "2.0", True),
        (r"Final Answer: \(2\) because", "2", True),
        (r"\boxed{2", None, True),
        ("it is 2", None, True),
        ("my final answer comes later: 2", None, True),
        ("Final Answer:", None, True),
        ("", None, True),
    ],
)
def test_the_last_box_is_the_answer_or_else_what_is_said_in_words(
    grader: MathGrader, solution: str, answer: str | None, unboxed: bool
) -> None:
    grade = grader.grade(["2", "17"], solution)
    assert (grade.answer, grade.unboxed) == (answer, unboxed)
    assert grade.reason == ("no answer" if answer is None else "wrong answer" if answer == "1" else None)


def test_any_of_the_references_will_do(grader: MathGrader) -> None:
    assert grader.grade(["3", r"\frac{1}{2}"], r"\boxed{0.5}").correct
    assert not grader.grade([], r"\boxed{0.5}").correct
    # a reference that cannot be read does not stand in the way of the next
    assert grader.grade([r"\frac{", r"\frac{1}{2}"], r"\boxed{0.5}").correct


def written(value: Fraction) -> st.SearchStrategy[str]:
    """Ways to write a number exactly."""
    sign, top, bottom = "-" if value < 0 else "", abs(value.numerator), value.denominator
    ways = [
        rf"{sign}\frac{{{top}}}{{{bottom}}}",
        rf"-\dfrac{{{-value.numerator}}}{{{bottom}}}",
        f"{sign}{top}/{bottom}",
    ]
    if bottom == 1:
        ways += [f"{sign}{top}", f"{sign}{top:,}", f"{sign}{top}.0", rf"{sign}{top}\text{{ ways}}", rf"x = {sign}{top}"]
        ways += [f"{sign}{top}" + r" \text{ cm}^2", rf"\text{{{sign}{top}}}", f"${sign}{top}$.", f"{{{sign}{top}}}"]
    if 10**6 % bottom == 0:
        digits = f"{float(abs(value)):.6f}".rstrip("0")
        ways += [
            f"{sign}{digits}",
            rf"{sign}{digits}\,\mathrm{{kg}}",
            f"{sign}{digits}e0",
            f"{sign}{digits}" + r" \times 10^0",
        ]
    return st.sampled_from(ways)


numbers = st.one_of(
    st.integers(-(10**7), 10**7).map(Fraction),
    st.fractions(min_value=-1000, max_value=1000, max_denominator=1000),
    st.integers(-(10**9), 10**9).map(lambda whole: Fraction(whole, 10**6)),
    st.sampled_from([Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 3), Fraction(10**6), Fraction(1, 10**6)]),
)


@settings(max_examples=150, deadline=None)
@given(st.data(), numbers, st.one_of(numbers, st.integers(-3, 3)))
def test_a_number_equals_itself_however_written_and_no_other(
    grader: MathGrader, data: st.DataObject, value: Fraction, other: Fraction | int
) -> None:
    other = value + other if isinstance(other, int) else other  # near ones as well as any
    reference, answer = data.draw(written(value)), data.draw(written(other))
    assert grader.grade([reference], rf"\boxed{{{answer}}}").correct == (value == other)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=5), st.randoms(use_true_random=False), st.integers(-2, 2))
def test_a_list_equals_its_reordering_and_no_other_list(
    grader: MathGrader, members: list[int], order: random.Random, off: int
) -> None:
    shuffled = order.sample(members, len(members))
    shuffled[0] += off
    answer = ", ".join(map(str, shuffled))
    for brackets in ("%s", r"\{%s\}", r"x = %s"):
        grade = grader.grade([",".join(map(str, members))], rf"\boxed{{{brackets % answer}}}")
        assert grade.correct == (sorted(members) == sorted(shuffled))
    repeated = grader.grade([",".join(map(str, members))], rf"\boxed{{{answer}, {shuffled[-1]}}}")
    assert not repeated.correct


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 9), st.integers(1, 9))
def test_tiny_and_huge_numbers_stay_apart(
    grader: MathGrader, power: int, other: int, digit: int, other_digit: int
) -> None:
    reference, answer = rf"{digit} \times 10^{{-{power}}}", f"{other_digit}e-{other}"
    same = Fraction(digit, 10**power) == Fraction(other_digit, 10**other)
    assert grader.grade([reference], rf"\boxed{{{answer}}}").correct == same


def product(number: int, letter: str) -> st.SearchStrategy[str]:
    """Ways to write a number times a variable, which may be called like a unit; or the number alone."""
    if not letter:
        return st.just(f"{number}")
    ways = (
        rf"{number}{letter}",
        rf"{number} {letter}",
        rf"{letter} \cdot {number}",
        rf"\frac{{{2 * number}}}{{2}}{letter}",
    )
    return st.sampled_from(ways)


letters = st.sampled_from(["", "m", "M", "s", "S", "t", "g", "h", "N", "n", "x", "mg", "ab", "Rr"])


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 3), letters, st.integers(1, 3), letters)
def test_a_letter_that_is_called_like_a_unit_stays(
    grader: MathGrader, data: st.DataObject, number: int, letter: str, other_number: int, other: str
) -> None:
    reference, answer = data.draw(product(number, letter)), data.draw(product(other_number, other))
    same = (number, letter) == (other_number, other)
    assert grader.grade([reference], rf"\boxed{{{answer}}}").correct == same


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9^{9}}}",
        "(2^{100000000})!",
        "{" * 50_000 + "}" * 50_000,
        "{" * 900 + "x" + "}" * 900,
        "(" * 900 + "1" + ")" * 900,
        r"\sqrt{" * 400 + "2" + "}" * 400,
        "9^" * 900 + "9",
        "1e999999999",
        r"\pm" * 600,
        "1," * 900,
        "(1," * 600,
        "(1," * 500 + "2" + ")" * 500,
        r"\{" * 400 + "x" + r"\}" * 400,
        r"\text{" * 300 + "}" * 300,
        "5" + r" \text{ m}^2" * 150 + "x",
        "5 " + "a " * 900,
        " " * 1900 + "x",
        r"\boxed{" * 20_000,
    ],
    ids=lambda answer: f"{answer[:12]}...",
)
def test_a_pathological_answer_is_wrong_and_harms_no_other(hurried_grader: MathGrader, answer: str) -> None:
    grade = hurried_grader.grade(["5"], rf"\boxed{{{answer}}}")
    assert not grade.correct
    assert grade.reason in ("time limit", "wrong answer", "no answer")
    assert hurried_grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct


def test_what_is_nested_too_deep_is_wrong_without_being_compared(grader: MathGrader) -> None:
    deep = "{" * 300 + "5" + "}" * 300
    assert grader.grade(["5"], rf"\boxed{{{deep}}}").reason == "wrong answer"
    assert grader.grade([deep], rf"\boxed{{{deep}}}").correct


def test_a_long_list_is_compared(grader: MathGrader) -> None:
    members = [str(number) for number in range(400)]
    assert grader.grade([",".join(members)], rf"\boxed{{{', '.join(reversed(members))}}}").correct


def test_what_takes_too_long_is_said_to(hurried_grader: MathGrader) -> None:
    assert hurried_grader.grade(["5"], r"\boxed{9^{9^{9^{9}}}}").reason == "time limit"


@needs_data
@pytest.mark.parametrize(
    "name", ["aime2024", "aime2025", "amc", "amc23", "math500", "minerva", "olympiadbench", "train_aime_1983_2023"]
)
def test_every_reference_of_the_benchmarks_is_accepted(grader: MathGrader, name: str) -> None:
    for row in rows(BENCHMARKS / f"{name}.jsonl"):
        assert grader.grade(row["answers"], rf"So it is $\boxed{{{row['answer']}}}$.").correct, row["id"]


@needs_data
@pytest.mark.parametrize(
    ("name", "share"), [("aime24", 1.0), ("amc23", 1.0), ("math500", 0.99), ("olympiadbench", 0.96)]
)
def test_grades_agree_with_those_recorded(name: str, share: float) -> None:
    saved = rows(SAVED / f"Qwen2.5-14B-Instruct__{name}.jsonl.gz")
    with closing(MathGrader()) as grader, ThreadPoolExecutor(os.cpu_count()) as threads:
        grades = list(threads.map(lambda row: grader.grade([row["answer"]], row["completion"]), saved))
    agree = [
        grade.correct == row["recorded_score"] for grade, row in zip(grades, saved, strict=True) if not grade.unboxed
    ]
    assert len(agree) >= 29
    assert sum(agree) / len(agree) >= share


@pytest.mark.parametrize(
    ("reference", "answer", "rule"),
    [
        ("5", "5", "identical"),
        (r"\frac24", "0.5", "same value"),
        ("1,3", "3,1", "same members"),
        (r"\frac13", "0.333333", "rounded"),
        (r"\frac13,1", "1,0.333333", "rounded"),
        (r"5\text{ cm}", "5", "unit left out"),
        (r"50\%", "0.5", "percent"),
        (r"(-\infty,2)", "x<2", "same set"),
        ("ABC", r"\text{ABC}", "same words"),
        ("5", "6", ""),
    ],
)
def test_a_verdict_names_its_rule(grader: MathGrader, reference: str, answer: str, rule: str) -> None:
    assert grader.grade([reference], rf"\boxed{{{answer}}}").rule == rule


def test_a_rule_can_be_switched_off() -> None:
    with closing(MathGrader(num_workers=1, rules=DEFAULT - {"unit left out"})) as strict:
        assert not strict.grade([r"5\text{ cm}"], r"\boxed{5}").correct
        assert strict.grade(["5"], r"\boxed{5.0}").rule == "same value"


@pytest.mark.parametrize("package", ["math_verify", "pint"])
def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=f"{package} is not installed: pip install"):
        MathGrader(num_workers=1)
