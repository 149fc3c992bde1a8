import json
from contextlib import closing
from pathlib import Path
from typing import Any

import datasets
import pytest

from elastic_reasoning.core.errors import GradingError, TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task

EXAMPLES = Path(__file__).parents[2] / "examples"
SUM = {"problem": "What is 2 + 3?", "answer": "5"}


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_the_example_with_every_kind_of_grading() -> None:
    solutions = {
        "sum": (r"\boxed{\frac{10}{12}}", r"\boxed{\frac{2}{5}}"),
        "roots": (r"\boxed{\{2, -2\}}", r"\boxed{2}"),
        "prime": (r"\boxed{B}", r"\boxed{A}"),
        "faust": (r"\boxed{goethe}", r"\boxed{Schiller}"),
        "add": ("```python\na, b = map(int, input().split())\nprint(a + b)\n```", "```python\nprint(4)\n```"),
    }
    grading = GradingConfig(allow_code_execution=True, grading_workers=1)
    task = load_task(TaskConfig(str(EXAMPLES / "own_task.jsonl")), grading)
    with closing(task):
        problems = task.problems("test")
        assert task.name == "own_task"
        assert [problem.id for problem in problems] == list(solutions)
        for problem in problems:
            right, wrong = solutions[problem.id]
            assert task.grade(problem, right).correct, problem.id
            assert task.grade(problem, problem.data["references"][0]).correct
            assert task.grade(problem, wrong).reason == "wrong answer", problem.id
            assert task.grade(problem, "").reason == "no answer"


def test_programs_are_not_run_unless_that_is_allowed() -> None:
    with closing(load_task(TaskConfig(str(EXAMPLES / "own_task.jsonl")))) as task:
        problem = task.problems("test")[-1]
        with pytest.raises(GradingError, match="--allow-code-execution"):
            task.grade(problem, problem.data["references"][0])


def test_what_is_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", SUM, SUM | {"grader": "choice", "answer": "B"}, SUM | {"grader": "text"})
    with closing(load_task(TaskConfig(path))) as task:
        contents = [problem.messages[0]["content"] for problem in task.problems("test")]
    assert all(content.startswith("What is 2 + 3? Let's think step by step") for content in contents)
    assert ["letter" in content for content in contents] == [False, True, False]


def test_rows_can_be_put_into_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", SUM | {"split": "train"}, SUM | {"id": "two"}, SUM | {"split": "train"})
    with closing(load_task(TaskConfig(path))) as task:
        train = task.problems("train")
        assert len(train) == 2
        assert len({problem.id for problem in train}) == 2
        assert [problem.id for problem in task.problems("test")] == ["two"]
        with pytest.raises(TaskError, match="task a has no split 'validation'; it has train and test"):
            task.problems("validation")


def test_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    datasets.Dataset.from_list([SUM]).to_parquet(path)
    with closing(load_task(TaskConfig(str(path)))) as task:
        assert (task.name, task.problems("test")[0].answer) == ("mine", "5")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "5"}, "row 1: no field 'problem'; its fields are answer"),
        ({"problem": "P"}, "row 1: no field 'answer'; its fields are problem"),
        (SUM | {"grader": "magic"}, "row 1, field 'grader': found 'magic'; expected one of math, choice, text, code"),
        (SUM | {"grader": "choice"}, "row 1, field 'answer': found '5'; expected a letter from A to J"),
        (SUM | {"split": "dev"}, "row 1, field 'split': found 'dev'; expected one of train, validation, test"),
        (SUM | {"grader": "code"}, "row 1: no field 'tests'"),
        (SUM | {"grader": "code", "tests": [1]}, "row 1, tests: expected tests: a list of"),
        (SUM | {"answer": []}, r"row 1, field 'answer': found \[\]; expected an answer"),
    ],
)
def test_a_malformed_row_is_named(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=message):
        load_task(TaskConfig(write(tmp_path / "a.jsonl", row)))


def test_a_file_is_its_own_data(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"data 'x': means nothing to task .*a.jsonl; its options are allow_code_exec"):
        load_task(TaskConfig(write(tmp_path / "a.jsonl", SUM), data="x"))


def test_a_python_file_with_a_task() -> None:
    with closing(load_task(TaskConfig(str(EXAMPLES / "own_task.py")))) as task:
        (problem,) = task.problems("test", 1)
        assert task.name == "parity"
        assert task.grade(problem, f"it is {problem.answer}").correct
    with pytest.raises(TaskError, match="grading_workers 2: means nothing"):
        load_task(TaskConfig(str(EXAMPLES / "own_task.py")), GradingConfig(grading_workers=2))


def test_a_python_file_with_a_function_gets_the_options(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from elastic_reasoning.tasks.arithmetic import Arithmetic\n"
        "def load(task, grading):\n    return Arithmetic(f'mine-{task.data}-{grading.grading_workers}')\n"
    )
    assert load_task(TaskConfig(str(path), data="x"), GradingConfig(grading_workers=2)).name == "mine-x-2"
    path.write_text("def load(options): ...\n")
    with pytest.raises(TaskError, match=r"its `load` takes two arguments, load\(task, grading\)"):
        load_task(TaskConfig(str(path)))


def test_a_python_file_may_define_dataclasses_with_annotations_as_text(tmp_path: Path) -> None:
    path = tmp_path / "random.py"
    path.write_text("from __future__ import annotations\n" + (EXAMPLES / "own_task.py").read_text("utf-8"))
    assert load_task(TaskConfig(str(path))).name == "parity"
    import random

    assert random.randrange(1) == 0


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\n", "mine.py defines no task: it needs an object `task`, or a function `load"),
        (
            "task = 1\n",
            "mine.py: its task has no name, note, problems, grade, close; a task has name, note, problems, grade",
        ),
        ("def load(task, grading):\n    return None\n", "mine.py: its task has no name"),
        ("1 / 0\n", "mine.py does not run: ZeroDivisionError: division by zero"),
        ("import nowhere_to_be_found\n", "mine.py does not run: ModuleNotFoundError"),
        ("task = (\n", "mine.py does not run: SyntaxError"),
        ("open('nowhere')\n", "mine.py does not run: FileNotFoundError"),
        ("raise ValueError('one\\ntwo')\n", "mine.py does not run: ValueError: one$"),
    ],
)
def test_a_python_file_without_a_task(code: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(code)
    with pytest.raises(TaskError, match=message):
        load_task(TaskConfig(str(path)))
