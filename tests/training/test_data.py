import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from configs import changed, train_config
from elastic_reasoning.core.errors import TaskError, TrainingError
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.data import Data, load_data

CONFIG = train_config(num_problems=10, num_validation_problems=5)


def num_words(messages: Sequence[Any]) -> int:
    return len(messages[0]["content"].split())


def data_of(config: TrainConfig) -> Data:
    return load_data(config, load_task(config.task, config.grading), num_words)


def own(path: Path, rows: list[tuple[str, str]]) -> TrainConfig:
    lines = [json.dumps({"problem": text, "answer": "1", "split": split}) for text, split in rows]
    path.write_text("\n".join(lines) + "\n")
    return changed(CONFIG, task=str(path), num_problems=None, num_validation_problems=1)


def test_problems_of_the_task() -> None:
    data = data_of(CONFIG)
    assert data.training == Arithmetic().problems("train", 10)
    assert data.validation == Arithmetic().problems("validation", 5)
    assert data.num_too_long == 0


def test_problems_that_are_too_long_are_left_out_and_counted() -> None:
    lengths = [num_words(problem.messages) for problem in Arithmetic().problems("train", 10)]
    limit = sorted(lengths)[4]
    data = data_of(changed(CONFIG, max_prompt_tokens=limit))
    assert len(data.training) == sum(length <= limit for length in lengths)
    assert data.num_too_long == 10 - len(data.training)
    assert 0 < len(data.validation) < 5


def test_a_test_problem_is_refused_as_a_validation_problem(tmp_path: Path) -> None:
    config = own(tmp_path / "own.jsonl", [("one?", "train"), ("two?", "validation"), ("two? ", "test")])
    with pytest.raises(TrainingError, match="1 of 1 validation problems are test problems too"):
        data_of(config)


def test_a_training_problem_is_refused_as_a_validation_problem(tmp_path: Path) -> None:
    config = own(tmp_path / "own.jsonl", [("one?", "train"), ("one?", "validation")])
    with pytest.raises(TrainingError, match="validation problems are training problems too"):
        data_of(config)


def test_a_task_without_a_test_split_will_do(tmp_path: Path) -> None:
    config = own(tmp_path / "own.jsonl", [("one?", "train"), ("two?", "validation")])
    assert len(data_of(config).training) == 1


def test_what_cannot_be_graded_is_found_out_at_once(tmp_path: Path) -> None:
    rows = [
        {"problem": f"Add {n}.", "grader": "code", "split": split, "tests": [{"input": "2 3\n", "output": "5\n"}]}
        for n, split in enumerate(("train", "validation"))
    ]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(TrainingError, match=r"cannot be graded: .* allow it with --allow-code-execution"):
        data_of(changed(CONFIG, task=str(tmp_path / "own.jsonl")))


def test_other_problems_have_another_digest() -> None:
    data = data_of(CONFIG)
    assert data.digest == data_of(CONFIG).digest
    assert data.digest != data_of(changed(CONFIG, num_problems=9)).digest


def test_fewer_problems_than_asked_for_will_do() -> None:
    assert len(data_of(changed(CONFIG, num_validation_problems=10**6)).validation) == 512


def test_a_benchmark_has_nothing_to_train_on(tmp_path: Path) -> None:
    config = own(tmp_path / "own.jsonl", [("one?", "test")])
    with pytest.raises(TaskError, match="no split 'train'"):
        data_of(config)
