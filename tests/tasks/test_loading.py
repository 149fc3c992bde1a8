import re
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import all_tasks, load_task
from elastic_reasoning.tasks.task import Task

TEXTS = [
    "aime24", "aime25", "aime26", "amc", "amc23", "arithmetic", "brumo25", "codeforces", "deepcoder", "deepscaler",
    "gpqa_diamond", "hmmt_feb25", "humaneval", "humaneval_plus", "ifeval", "livecodebench", "math500", "minerva",
    "mmlu_pro", "olympiadbench", "word_problems",
]  # fmt: skip


def test_the_tasks_there_are() -> None:
    assert sorted(all_tasks()) == TEXTS
    task: Task = load_task(TaskConfig("arithmetic"))
    assert task.name == "arithmetic"
    assert task.problems("test", 1)


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(TaskError, match=r"unknown task 'aime2024': did you mean 'aime24'.*or a file of one's own"):
        load_task(TaskConfig("aime2024"))


@pytest.mark.parametrize(
    ("task", "grading", "message"),
    [
        (
            TaskConfig("arithmetic", data="x.jsonl"),
            {},
            "data 'x.jsonl': means nothing to task arithmetic; it has no",
        ),
        (
            TaskConfig("aime24", release="v5"),
            {},
            "release 'v5': means nothing to task aime24; its options are",
        ),
        (
            TaskConfig("aime24"),
            {"allow_code_execution": True},
            "allow_code_execution True: means nothing to task",
        ),
        (TaskConfig("humaneval", since="2024-01-01"), {}, "since '2024-01-01': means nothing to task humaneval"),
        (TaskConfig("codeforces", until="2024-01-01"), {}, "until '2024-01-01': means nothing to task codeforces"),
        (TaskConfig("arithmetic"), {"grading_workers": 2}, "grading_workers 2: means nothing to task arithmetic"),
    ],
)
def test_an_option_that_means_nothing_is_refused(task: TaskConfig, grading: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=re.escape(message)):
        load_task(task, GradingConfig(**grading))


def test_a_file_that_is_not_there_is_no_task(tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.py", "none.parquet"):
        with pytest.raises(TaskError, match=f"cannot read .*{name}: No such file"):
            load_task(TaskConfig(str(tmp_path / name)))
