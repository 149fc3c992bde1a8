import json
from contextlib import closing
from pathlib import Path
from typing import Any

import datasets
import pytest

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.code import read_tests
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from shared_data import BENCHMARKS, needs_data, rows

ROW = {
    "task_id": "HumanEval/1000",
    "prompt": 'def add(a: int, b: int) -> int:\n    """ The sum.\n    """\n',
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
}
HUBS = {"humaneval": "openai/openai_humaneval", "humaneval_plus": "evalplus/humanevalplus"}
FILES = {"humaneval": "humaneval.jsonl", "humaneval_plus": "humanevalplus.jsonl.gz"}


@needs_data
@pytest.mark.parametrize("name", FILES)
def test_every_row_is_read(name: str) -> None:
    with closing(load_task(TaskConfig(name, data=str(BENCHMARKS / FILES[name])))) as task:
        problems = task.problems("test")
    assert len(problems) == 164
    for problem, row in zip(problems, rows(BENCHMARKS / FILES[name]), strict=True):
        tests = read_tests(problem)
        assert (problem.id, tests.entry_point, tests.check) == (row["id"], row["entry_point"], row["test"])
        assert tests.prelude == row["problem"]
        assert problem.answer == row["problem"] + row["canonical_solution"]
        assert row["problem"].rstrip() in problem.messages[0]["content"]


@pytest.mark.parametrize("name", HUBS)
def test_rows_of_the_hub_are_read_and_graded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*arguments: Any, **named: Any) -> list[dict[str, Any]]:
        asked.append((arguments, named))
        return [ROW]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with closing(load_task(TaskConfig(name), GradingConfig(allow_code_execution=True))) as task:
        (problem,) = task.problems("test")
        assert asked == [((HUBS[name], None), {"split": "test"})]
        assert problem.id == "HumanEval/1000"
        assert task.grade(problem, problem.data["references"][0]).correct
        assert task.grade(problem, "```python\ndef add(a, b):\n    return a - b\n```").reason == "wrong answer"
        assert task.grade(problem, "    return a + b").reason == "no answer"


@pytest.mark.parametrize("missing", ["task_id", "prompt", "entry_point", "test", "canonical_solution"])
def test_fields_that_are_missing(missing: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({name: value for name, value in ROW.items() if name != missing}) + "\n")
    config = TaskConfig("humaneval", data=str(path))
    if missing in ("task_id", "canonical_solution"):
        with closing(load_task(config)) as task:
            (problem,) = task.problems("test")
        assert (problem.id == "HumanEval/1000") == (missing != "task_id")
        assert bool(problem.data["references"]) == (missing != "canonical_solution")
    else:
        with pytest.raises(TaskError, match=f"a.jsonl, row 1: no field .*'{missing}'; its fields are"):
            load_task(config)
