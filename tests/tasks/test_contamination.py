from contextlib import closing

from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.contamination import Overlap, contamination
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem
from shared_data import BENCHMARKS, needs_data

LONG = "A train leaves the town at nine and travels at forty miles an hour until it meets another train at noon"


def problems(*texts: str) -> list[Problem]:
    return [Problem(f"p{number}", ({"role": "user", "content": text},), "") for number, text in enumerate(texts)]


def test_the_same_words_are_found_in_any_layout() -> None:
    found = contamination(problems("What is $x$?", LONG), problems("Nothing.", LONG.upper() + "!", "what is x"))
    assert found == [Overlap("p0", "p2", 1.0, True), Overlap("p1", "p1", 1.0, True)]


def test_a_problem_within_a_longer_one_is_found_and_chance_is_not() -> None:
    changed = LONG.replace("forty", "fifty")
    found = contamination(problems(LONG), problems(f"Read this. {LONG}. Why?", changed, LONG[: len(LONG) // 2]))
    assert [(each.training, each.same) for each in found] == [("p0", False), ("p2", False)]
    assert found[0].share == 1.0
    assert (
        contamination(problems(LONG), problems("A train leaves the town at nine and that is all there is to it")) == []
    )


def test_what_has_no_words_overlaps_with_nothing_else() -> None:
    assert contamination(problems("$+$"), problems("a", LONG)) == []
    assert contamination([], problems(LONG)) == contamination(problems(LONG), []) == []


def test_the_splits_of_arithmetic_are_disjoint() -> None:
    task = Arithmetic()
    assert not any(each.same for each in contamination(task.problems("test", 100), task.problems("train", 1000)))


@needs_data
def test_problems_of_math500_that_are_aime_problems() -> None:
    data = {"math500": "math500.jsonl", "amc": "amc.jsonl", "deepscaler": "train_aime_1983_2023.jsonl"}
    tasks = {name: load_task(TaskConfig(name, data=str(BENCHMARKS / file))) for name, file in data.items()}
    with closing(tasks["math500"]), closing(tasks["amc"]), closing(tasks["deepscaler"]):
        training = [*tasks["deepscaler"].problems("train"), *tasks["deepscaler"].problems("validation")]
        found = contamination(tasks["math500"].problems("test"), training)
        assert contamination(tasks["amc"].problems("test"), training) == []  # one pair has the same last sentence
    assert {each.training for each in found if each.same} == {
        "aime-1983-1-2", "aime-1994-1-13", "aime-2001-2-3", "aime-2010-1-6", "aime-2015-2-6", "aime-2016-1-10",
        "aime-2017-2-7",
    }  # fmt: skip
    assert {each.training: each.test for each in found if not each.same} == {
        "aime-2002-1-12": "test/intermediate_algebra/1063.json",
        "aime-2006-2-5": "test/counting_and_probability/1003.json",
    }
