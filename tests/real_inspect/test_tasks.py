"""Our tasks as tasks of inspect_ai: their problems, their graders, and what they can be told."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="inspect_ai is not installed: make test-inspect")

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.util import registry_create

from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.loading import all_tasks
from real_inspect.running import MARKS, evaluate, model_of, wordy

pytestmark = MARKS

ROWS = [
    {"problem": "one two", "answer": "three", "grader": "text", "id": "a"},
    {"problem": "two three", "answer": "eight", "grader": "text", "id": "b"},
    {"problem": "four", "answer": "three", "grader": "text", "id": "c", "split": "train"},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A task of one's own."""
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def made(name: str, **arguments: Any) -> Any:
    """A task by its name, as inspect_ai makes it."""
    return registry_create("task", f"elastic_reasoning/{name}", **arguments)


def test_every_task_is_known_by_its_name() -> None:
    needs_more = ("arithmetic", "humaneval", "humaneval_plus", "codeforces", "deepcoder", "livecodebench", "ifeval")
    for name in all_tasks():
        if name not in needs_more:
            with pytest.raises(PrerequisiteError, match=r"no\.jsonl"):
                made(name, data="no.jsonl")


def test_its_problems_are_the_samples() -> None:
    problems = Arithmetic().problems("validation", 5)
    task = made("arithmetic", split="validation", limit=5, samples=3, budget="24+20")
    assert [(sample.id, sample.input[-1].text, sample.target) for sample in task.dataset] == [
        (problem.id, problem.messages[-1]["content"], problem.answer) for problem in problems
    ]
    assert task.epochs == 3
    assert (task.config.reasoning_tokens, task.config.max_tokens) == (24, 44)


def test_a_file_of_ones_own_is_graded_by_its_own_grader(file: Path) -> None:
    log = evaluate(made("custom", file=str(file)), model_of(wordy(solution=r"\boxed{three}"), "2+8"))
    assert [(sample.id, sample.scores["grade"].value) for sample in log.samples] == [("a", "C"), ("b", "I")]
    assert len(made("custom", file=str(file), split="train").dataset) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "tset"}, "tset"),
        ({"budget": "24"}, "THINKING+SOLUTION"),
        ({"data": "rows.jsonl"}, "means nothing to task arithmetic"),
        ({"limit": -1}, "limit -1"),
    ],
    ids=str,
)
def test_what_a_task_cannot_be_told_is_refused_in_one_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(PrerequisiteError) as refusal:
        made("arithmetic", **arguments)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_programs_are_run_only_when_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "code.jsonl"
    row = {"problem": "Print 1.", "answer": "print(1)", "grader": "code", "tests": [{"input": "", "output": "1"}]}
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(PrerequisiteError, match="runs generated programs: allow it"):
        made("custom", file=str(path))
    assert len(made("custom", file=str(path), allow_code_execution=True).dataset) == 1


def test_the_command_line_of_inspect_finds_both(engine: Engine) -> None:
    log = evaluate("elastic_reasoning/arithmetic", model_of(engine), task_args={"limit": 2})
    assert log.status == "success"
    assert log.eval.model == "elastic/mini-e1"
