"""What verl reads is what the task asks and grades."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.integrations.verl.data import row_of, write_rows
from elastic_reasoning.integrations.verl.reward import KNOWN, score
from elastic_reasoning.tasks.code import TRAINING_LIMITS, code_problem
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem

ASKED = ({"role": "user", "content": "Half of one?"},)


def written(rows: list[dict[str, Any]], tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def graded(solution: str, truth: Any, told: dict[str, Any]) -> float | None:
    """What our reward function gives a rollout with this solution."""
    template = word_template("<think>", "</think>", "<eos>", words=[solution])
    trace = ask(ScriptedEngine(scripted(template, thinking="", solution=solution), template), "half", "1+3")
    return score(trace, KNOWN["deepscaler"], truth, told, {}).reward


def test_a_row_has_what_verl_looks_for() -> None:
    assert row_of(Problem("half", ASKED, "1/2", {"problem": "Half?"}), "halves", "train", 7) == {
        "data_source": "halves",
        "prompt": [{"role": "user", "content": "Half of one?"}],
        "reward_model": {"style": "rule", "ground_truth": "1/2"},
        "extra_info": {"split": "train", "index": 7, "id": "half", "problem": "Half?"},
    }


def test_every_problem_is_a_row_of_the_file(tmp_path: Path) -> None:
    problems = load_task(TaskConfig("arithmetic")).problems("train", 50)
    path = tmp_path / "new" / "rows.parquet"
    assert write_rows(problems, "arithmetic", "train", path) == 50
    rows = parquet.read_table(path).to_pylist()
    assert [tuple(row["prompt"]) for row in rows] == [problem.messages for problem in problems]
    assert [row["reward_model"]["ground_truth"] for row in rows] == [problem.answer for problem in problems]
    assert [row["extra_info"]["index"] for row in rows] == list(range(50))


def test_all_right_answers_are_the_ground_truth(tmp_path: Path) -> None:
    rows = [{"id": n, "problem": f"What is half of {n}?", "answer": [f"{n}/2", str(n / 2)]} for n in range(40)]
    task = load_task(TaskConfig("deepscaler", written(rows, tmp_path)))
    problem = task.problems("train")[0]
    row = row_of(problem, "deepscaler", "train", 0)
    assert row["reward_model"]["ground_truth"] == list(problem.data["answers"])
    assert len(row["reward_model"]["ground_truth"]) == 2
    truth, told = row["reward_model"]["ground_truth"], row["extra_info"]
    assert all(graded(rf"\boxed{{{answer}}}", truth, told) == 1.0 for answer in truth)
    assert graded(r"\boxed{1000}", truth, told) == 0.0


@pytest.mark.parametrize("text", [True, False])
def test_a_program_is_graded_by_what_its_row_holds(text: bool, tmp_path: Path) -> None:
    tests = [{"input": "20\n", "output": "40\n", "testtype": "stdin"}]
    rows = [{"problem": f"Double it, {n}.", "tests": json.dumps(tests) if text else tests} for n in range(3)]
    task = load_task(TaskConfig("deepcoder", written(rows, tmp_path)), GradingConfig(allow_code_execution=True))
    asked = [*task.problems("train"), *task.problems("validation")]
    write_rows(asked, "deepcoder", "train", tmp_path / "rows.parquet")
    row = parquet.read_table(tmp_path / "rows.parquet").to_pylist()[0]
    told = {**row["extra_info"], "tests": row["reward_model"]["ground_truth"]}
    problem = code_problem("", ("the row", told), told["problem"], TRAINING_LIMITS)
    assert problem.messages == asked[0].messages
    assert task.grade(problem, "```python\nprint(2 * int(input()))\n```").correct
    assert not task.grade(problem, "```python\nprint(3 * int(input()))\n```").correct
    task.close()


def test_other_tests_of_programs_are_refused() -> None:
    with pytest.raises(TaskError, match="problem half: its tests are not those of a row of DeepCoder"):
        row_of(Problem("half", ASKED, "", {"tests": object()}), "halves", "train", 0)
