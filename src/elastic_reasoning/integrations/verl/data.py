"""A task's problems as the rows that verl reads: Parquet, one problem a row.

    write_rows(task.problems("train"), "arithmetic", "train", Path("data/train.parquet"))

A row holds what grading its rollouts takes, so that a reward needs none of the task's files
(`elastic_reasoning.integrations.verl.reward`).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import TaskError, require
from elastic_reasoning.tasks.code_tests import Published
from elastic_reasoning.tasks.task import Problem


def row_of(problem: Problem, task: str, split: str, index: int) -> dict[str, Any]:
    """A problem as a row of verl's `RLHFDataset` (verl 0.9.1, `verl/utils/dataset/rl_dataset.py`).

    The ground truth is the right answer or, where a problem has them, all of its right answers; of programs their
    tests, as DeepCoder's rows have them.

    Args:
        task: the name that the reward knows its grader by.
        split: which the problem is of.
        index: its place there.

    Raises:
        TaskError: the tests of a program are not ones that a row can hold.
    """
    data = problem.data
    extra = {"split": split, "index": index, "id": problem.id, "problem": data.get("problem", "")}
    truth: Any = list(data["answers"]) if "answers" in data else problem.answer
    if "tests" in data:
        truth, extra["entry_point"] = _tests(problem)
    return {
        "data_source": task,
        "prompt": [dict(message) for message in problem.messages],
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": extra,
    }


def _tests(problem: Problem) -> tuple[str, str]:
    """The tests of a program as JSON text, and the function that they call."""
    tests = problem.data["tests"]
    if not isinstance(tests, Published) or len(tests.raw) != 1:
        raise TaskError(f"problem {problem.id}: its tests are not those of a row of DeepCoder; train on deepcoder")
    (raw,) = tests.raw
    return raw if isinstance(raw, str) else json.dumps(raw), tests.function


def write_rows(problems: Iterable[Problem], task: str, split: str, path: Path) -> int:
    """Write problems to a Parquet file and say how many they are.

    Args:
        task, split: as for `row_of`.
        path: its folder is made if need be; a file that is there is replaced.

    Raises:
        TaskError: a problem cannot be a row.
        MissingDependencyError: pyarrow is not installed.
    """
    pyarrow, parquet = require("pyarrow", "eval"), require("pyarrow.parquet", "eval")
    rows = [row_of(problem, task, split, index) for index, problem in enumerate(problems)]
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return len(rows)
