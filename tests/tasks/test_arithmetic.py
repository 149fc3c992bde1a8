import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.tasks.arithmetic import NUM_OPERATIONS, OPERANDS, Arithmetic, Chain, apply, chains
from elastic_reasoning.tasks.task import Problem, Split, Task

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
OPERATIONS = [sign + operand for sign, operands in OPERANDS.items() for operand in operands]


def test_a_chain_reads_and_solves_from_left_to_right() -> None:
    chain = Chain(4, ("-8", "+7", "*3"))
    assert chain.text == "a 4 b -8 c +7 d *3 ="
    assert chain.values == (6, 3, 9)
    problem = chain.problem()
    assert problem.messages == ({"role": "user", "content": "a 4 b -8 c +7 d *3 ="},)
    assert problem.answer == "9"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_a_bijection(operation: str) -> None:
    assert sorted(apply(operation, value) for value in range(10)) == list(range(10))


def test_splits_are_disjoint_whatever_the_seeds() -> None:
    texts = {split: {chain.text for seed in range(3) for chain in islice(chains(split, seed), 300)} for split in SPLITS}
    assert texts["train"].isdisjoint(texts["test"] | texts["validation"])
    assert texts["validation"].isdisjoint(texts["test"])


@given(st.integers(0, 9), st.lists(st.sampled_from(OPERATIONS), min_size=4, max_size=12))
def test_the_split_depends_on_the_chain_alone(start: int, operations: list[str]) -> None:
    split = Chain(start, tuple(operations)).split
    assert split in SPLITS
    assert Chain(start, tuple(operations)).split == split


def test_the_problem_lists_are_fixed() -> None:
    task: Task = Arithmetic()
    test = task.problems("test", 3)
    assert test == task.problems("test")[:3]
    assert [problem.id for problem in test] == [
        "arithmetic-33b7796ca7b4",
        "arithmetic-234ec9756c38",
        "arithmetic-8666cc04403e",
    ]
    assert test[0].messages[0]["content"] == "a 4 b *7 c -1 d *3 e *7 f -0 g -8 h -9 i +5 ="
    assert task.problems("test", 0) == []


@pytest.mark.parametrize(("split", "size"), [("train", 8192), ("validation", 512), ("test", 1024)])
def test_a_split_has_different_problems_of_every_length(split: Split, size: int) -> None:
    problems = Arithmetic().problems(split)
    assert len({problem.id for problem in problems}) == len(problems) == size
    lengths = {len(problem.messages[0]["content"].split()) // 2 - 1 for problem in problems}
    assert lengths == set(NUM_OPERATIONS)


def test_the_training_stream_depends_on_its_seed() -> None:
    task = Arithmetic()
    first = list(islice(task.stream(1), 50))
    assert first == list(islice(task.stream(1), 50))
    assert first != list(islice(task.stream(2), 50))


@pytest.mark.parametrize("split", ["dev", "training"])
def test_an_unknown_split_is_named(split: str) -> None:
    with pytest.raises(TaskError, match=f"unknown split '{split}'.*test, train, validation"):
        Arithmetic().problems(split)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [-1, 1025])
def test_a_limit_beyond_the_split_is_an_error(limit: int) -> None:
    with pytest.raises(TaskError, match=f"limit {limit} .* 0 to 1024"):
        Arithmetic().problems("test", limit)


@pytest.mark.parametrize(
    ("solution", "answer", "reason"),
    [
        ("answer 3", "3", None),
        ("\nFinal Answer: 3", "3", None),
        (" Final Answer: 3 ", "3", None),
        ("h +7 3 i *7 1 answer 3", "3", None),
        ("answer 4 answer 3", "3", None),
        ("Final Answer: answer 3", "3", None),
        ("answer 3 answer 4", "4", "wrong answer"),
        ("answer 33", "33", "wrong answer"),
        ("answer ok", None, "no answer"),
        ("answer", None, "no answer"),
        ("Final Answer:", None, "no answer"),
        ("so 3", None, "no answer"),
        ("noanswer 3", None, "no answer"),
        ("3", None, "no answer"),
        ("", None, "no answer"),
    ],
)
def test_grading(solution: str, answer: str | None, reason: str | None) -> None:
    problem = Problem("p", ({"role": "user", "content": "a 1 b +2 ="},), "3")
    grade = Arithmetic().grade(problem, solution)
    assert (grade.answer, grade.reason) == (answer, reason)
    assert grade.correct == (reason is None)


def test_gold_answers_pass_and_guesses_are_right_one_time_in_ten() -> None:
    task, rng = Arithmetic(), random.Random(0)
    problems = task.problems("test")
    assert all(task.grade(problem, f"answer {problem.answer}").correct for problem in problems)
    guessed = sum(task.grade(problem, f"answer {rng.randrange(10)}").correct for problem in problems)
    assert 0.07 < guessed / len(problems) < 0.13
