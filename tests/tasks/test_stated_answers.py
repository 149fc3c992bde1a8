"""What statements accept beside the published output."""

import pytest

from elastic_reasoning.grading.programs.outputs import Answers
from elastic_reasoning.tasks.stated_answers import stated_answers
from shared_data import BENCHMARKS, needs_data, rows

STATED = {
    "You can output the answer in any case (upper or lower).": Answers(any_case=True),
    'You can print each letter in any case (the string "yEs" is recognised).': Answers(any_case=True),
    "Letters are case-insensitive.": Answers(any_case=True),
    "In the worst case, print -1. Any case of n is small.": Answers(),
    "Output it so that the absolute or relative error does not exceed $10^{-6}$.": Answers(tolerance=1e-6),
    "is accepted if the relative error from the true value is at most 10 ^ {-8}.": Answers(tolerance=1e-8),
    "an absolute error of at most 1e-4": Answers(tolerance=1e-4),
    "within an absolute error of 0.001 of it": Answers(tolerance=1e-3),
    "The measured error is 10^{-6}.": Answers(),
    "If there are multiple answers, print any of them.": Answers(several=True),
    "If there are several solutions, you may output any.": Answers(several=True),
    "If multiple solutions exist, any of them will be accepted.": Answers(several=True),
    "For each test case, output any string of length n that satisfies the conditions.": Answers(several=True),
    "Return the indices of the peaks in any order.": Answers(several=True),
    "If you output any other positive number, it is recognised as 1.": Answers(several=True),
    "If there are multiple answers, print the smallest one.": Answers(),
    "You may choose any element any number of times, in any order.": Answers(),
    "If there are multiple edges, choose any number of them.": Answers(),
    "He can pick any two of the fountains.": Answers(),
    "If there are several, print any of them, in any case.": Answers(any_case=True, several=True),
}


@pytest.mark.parametrize("statement", STATED)
def test_what_a_statement_says(statement: str) -> None:
    assert stated_answers(statement) == STATED[statement]


def test_a_checker_of_the_task_decides() -> None:
    found = stated_answers("If there are multiple answers, print any of them.", "def check(i, o, e): return True")
    assert found.rule == "checker"


@needs_data
@pytest.mark.parametrize(("name", "least", "most"), [("codeforces", 90, 100), ("livecodebench_public", 27, 33)])
def test_rows_that_accept_more_than_what_was_published(name: str, least: int, most: int) -> None:
    """Of 408 rows of Codeforces 96 and of 879 of LiveCodeBench 30, as counted by hand."""
    found = [stated_answers(row["problem"]) for row in rows(BENCHMARKS / f"{name}.jsonl")]
    assert least <= sum(answers.rule != "same output" for answers in found) <= most
