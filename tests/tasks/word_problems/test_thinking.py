"""Rows of a warm start: thoughts whose every calculation holds, and solutions that go on where a thought breaks off."""

import random
import re
from itertools import islice
from typing import Any

import pytest

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.tasks.loading import load_thoughts
from elastic_reasoning.tasks.word_problems.moves import Step
from elastic_reasoning.tasks.word_problems.stories import stories
from elastic_reasoning.tasks.word_problems.thinking import LONGEST, check, draw_thought

CALCULATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
BOX = re.compile(r"\\boxed\{(\d+)\}")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return list(islice(load_thoughts("word_problems", 0), 600))


def holds(left: str, sign: str, right: str, result: str) -> bool:
    """Whether a calculation is right; a division by multiplying back."""
    a, b, c = int(left), int(right), int(result)
    return {"+": a + b == c, "-": a - b == c, "*": a * b == c, "/": b * c == a}[sign]


def test_every_calculation_holds(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for text in (row["thinking"], row["solution"]):
            # a number in which a thought breaks off is none yet
            whole = text if row["finished"] or text is row["solution"] else text.rpartition(" = ")[0]
            assert all(holds(*found) for found in CALCULATION.findall(whole)), row


def test_thinking_and_solution_come_to_the_answer(rows: list[dict[str, Any]]) -> None:
    answers = {story.text: (story.answer, story.steps) for story in islice(stories("train"), 700)}
    for row in rows:
        answer, steps = answers[row["problem"]]
        assert BOX.findall(row["solution"]) == [str(answer)]
        if row["finished"]:
            assert f"So the answer is {answer}." in row["thinking"]
            assert all(f"{step}" in row["thinking"] for step in steps)
        elif not row["solution"].startswith("Final Answer:"):
            assert all(f"{step}" in row["thinking"] + row["solution"] for step in steps), row


def test_shares_are_as_said(rows: list[dict[str, Any]]) -> None:
    finished = [row for row in rows if row["finished"]]
    assert 0.10 < 1 - len(finished) / len(rows) < 0.22
    assert 0.04 < sum(row["solution"].startswith("Final Answer:") for row in rows) / len(rows) < 0.13
    assert 0.08 < sum(not row["thinking"].startswith("Let me") for row in finished) / len(finished) < 0.22
    assert max(len(row["thinking"]) for row in rows) <= LONGEST
    assert min(len(row["thinking"]) for row in rows) > 0


def test_a_thought_takes_its_steps_in_order() -> None:
    rng = random.Random(0)
    for story in islice(stories("train"), 100):
        lines = draw_thought(story, rng)
        counts = [num_done for _, num_done in lines]
        assert counts == sorted(counts)
        assert counts[-1] == len(story.steps)
        for number, step in enumerate(story.steps, 1):
            assert any(str(step) in text and num_done == number for text, num_done in lines)


def test_rows_are_the_same_for_the_same_seed(rows: list[dict[str, Any]]) -> None:
    assert rows[:50] == list(islice(load_thoughts("word_problems", 0), 50))
    assert rows[:50] != list(islice(load_thoughts("word_problems", 1), 50))


@pytest.mark.parametrize(
    ("sign", "says"), [("+", "8 - 2 = 6"), ("-", "4 + 2 = 6"), ("*", "12 / 2 = 6"), ("/", "3 * 2 = 6")]
)
def test_a_check_takes_the_step_back(sign: str, says: str) -> None:
    assert check(Step(6, sign, 2)) == f"Let me check: {says}. That is right."


def test_a_task_without_thoughts_is_named() -> None:
    with pytest.raises(TaskError, match=r"unknown task 'arithmetic'.*word_problems, of those that write thoughts"):
        load_thoughts("arithmetic", 0)
