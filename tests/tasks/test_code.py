import json
from contextlib import closing
from pathlib import Path
from typing import Any

import datasets
import pytest

from elastic_reasoning.core.errors import GradingError, TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.code import MOST_TRAINING_TESTS, read_tests
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem
from shared_data import BENCHMARKS, needs_data, rows

ADD = {"problem": "Add.", "tests": [{"input": "2 3\n", "output": "5\n", "testtype": "stdin"}]}
RIGHT = "```python\nprint(sum(map(int, input().split())))\n```"


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def only_problem(row: dict[str, Any], tmp_path: Path, name: str = "codeforces") -> Problem:
    with closing(load_task(TaskConfig(name, data=write(tmp_path / "a.jsonl", [row])))) as task:
        (problem,) = task.problems("test")
    return problem


@needs_data
@pytest.mark.parametrize(
    ("name", "file", "sizes"),
    [
        ("codeforces", "codeforces.jsonl", {"test": 408}),
        ("deepcoder", "code_contests.jsonl.gz", {"train": 149, "validation": 16}),
    ],
)
def test_every_row_is_read(name: str, file: str, sizes: dict[Any, int]) -> None:
    with closing(load_task(TaskConfig(name, data=str(BENCHMARKS / file)))) as task:
        problems = {split: task.problems(split) for split in sizes}
    assert {split: len(each) for split, each in problems.items()} == sizes
    published = {row["id"]: row for row in rows(BENCHMARKS / file)}
    for problem in (problem for each in problems.values() for problem in each):
        tests = read_tests(problem)
        row = published[problem.id]
        assert len(tests.stdin) == min(len(row["tests"]), MOST_TRAINING_TESTS if name == "deepcoder" else 1000)
        assert problem.messages[0]["content"].startswith(row["problem"])
        assert "```python" in problem.messages[0]["content"]


def test_deepcoder_is_read_from_its_three_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "primeintellect": {
            "problem": "Double a number.",
            "solutions": ["```python\ndef double(n):\n    return 2 * n\n```"],
            "tests": json.dumps([{"type": "function_call", "fn_name": "double", "input": [2], "output": [4]}]),
        },
        "taco": {
            "problem": "Add two numbers.",
            "solutions": ["print(sum(map(int, input().split())))"],
            "tests": json.dumps({"inputs": ["2 3\n"] * 20, "outputs": ["5\n"] * 20}),
        },
        "lcbv5": {
            "problem": "Negate a number.",
            "starter_code": "class Solution:\n    def negate(self, n: int) -> int:\n        ",
            "metadata": {"func_name": "negate"},
            "tests": json.dumps([{"input": "2", "output": "-2", "testtype": "functional", "metadata": {}}]),
        },
    }
    asked = []

    def load_dataset(name: str, config: str, split: str) -> list[dict[str, Any]]:
        asked.append((name, config, split))
        return [sources[config]]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with closing(load_task(TaskConfig("deepcoder"), GradingConfig(allow_code_execution=True))) as task:
        problems = [*task.problems("train"), *task.problems("validation")]
        by_text = {problem.data["problem"]: problem for problem in problems}
        assert asked == [("agentica-org/DeepCoder-Preview-Dataset", config, "train") for config in sources]
        double, add, negate = (by_text[row["problem"]] for row in sources.values())
        assert "a Python function `double`" in double.messages[0]["content"]
        assert "reads standard input" in add.messages[0]["content"]
        assert "```python\nclass Solution:\n    def negate(self, n: int) -> int:\n```" in negate.messages[0]["content"]
        assert len(read_tests(add).stdin) == 15
        assert task.grade(double, double.data["references"][0]).correct
        assert task.grade(add, add.data["references"][0]).correct
        assert negate.data["references"] == ()
        solution = "```python\nclass Solution:\n    def negate(self, n: int) -> int:\n        return -n\n```"
        assert task.grade(negate, solution).correct
        assert task.grade(negate, solution.replace("-n", "n")).reason == "wrong answer"


def test_codeforces_is_read_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*arguments: Any, **named: Any) -> list[dict[str, Any]]:
        asked.append((arguments, named))
        return [ADD]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with closing(load_task(TaskConfig("codeforces"))) as task:
        assert len(task.problems("test")) == 1
    assert asked == [(("agentica-org/DeepCoder-Preview-Dataset", "codeforces"), {"split": "test"})]


@needs_data
def test_codeforces_problems_are_named_by_their_code_whatever_the_source(tmp_path: Path) -> None:
    published = rows(BENCHMARKS / "codeforces.jsonl")
    data = write(tmp_path / "a.jsonl", [{"problem": row["problem"], "tests": row["tests"]} for row in published])
    with closing(load_task(TaskConfig("codeforces", data=data))) as task:
        assert [problem.id for problem in task.problems("test")] == [row["id"] for row in published]
    assert only_problem(ADD, tmp_path).id.startswith("codeforces-")


def test_programs_are_not_run_unless_that_is_allowed(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", [ADD])
    with closing(load_task(TaskConfig("codeforces", data=data))) as task:
        (problem,) = task.problems("test")
        with pytest.raises(GradingError, match="--allow-code-execution"):
            task.grade(problem, RIGHT)
    with closing(load_task(TaskConfig("codeforces", data=data), GradingConfig(allow_code_execution=True))) as task:
        assert task.grade(problem, RIGHT).correct
        assert task.grade(problem, "5").reason == "no answer"


@pytest.mark.parametrize(
    ("limits", "seconds", "memory_mb"),
    [
        ("Time Limit: 2000 ms\nMemory Limit: 256 MB", 5.0, 1024),
        ("Time Limit: 12000 ms\nMemory Limit: 2048 MB", 12.0, 2048),
        ("", 5.0, 1024),
    ],
)
def test_the_limits_that_a_statement_names(limits: str, seconds: float, memory_mb: int, tmp_path: Path) -> None:
    found = read_tests(only_problem(ADD | {"problem": f"Add.\n\n{limits}"}, tmp_path)).limits
    assert (found.seconds, found.memory_mb) == (seconds, memory_mb)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tests": None}, "row 1: no field 'tests'; its fields are problem, tests"),
        ({"tests": []}, "row 1, tests: expected at least one test"),
        ({"tests": "[1"}, "row 1, tests: expected JSON"),
        ({"starter_code": 4}, "row 1, field 'starter_code': found 4; expected a text"),
        ({"solutions": [1]}, r"row 1, field 'solutions': found \[1\]; expected a program or a list of programs"),
        ({"metadata": "x"}, "row 1, field 'metadata': found 'x'; expected an object, or JSON text of one"),
        ({"metadata": [1]}, r"row 1, field 'metadata': found \[1\]; expected an object"),
        ({"problem": ""}, "row 1, field 'problem': found ''; expected a text that is not empty"),
    ],
)
def test_a_malformed_row_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=message):
        only_problem(ADD | change, tmp_path)


def test_what_a_problem_is_graded_by_is_plain_data(tmp_path: Path) -> None:
    one, two = only_problem(ADD, tmp_path), only_problem(ADD, tmp_path)
    assert repr(one.data) == repr(two.data)
    assert " at 0x" not in repr(one.data)
    assert str(tmp_path) not in repr(one.data)
