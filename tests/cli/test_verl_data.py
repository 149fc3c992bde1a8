import json
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from elastic_reasoning.cli.main import main


def test_both_splits_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--num_problems", "40", "--num_validation_problems", "8", "--out", str(tmp_path / "data")]
    assert main(["verl-data", "arithmetic", *argv]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/data/train.parquet: 40 problems",
        f"{tmp_path}/data/validation.parquet: 8 problems",
    ]
    assert parquet.read_table(tmp_path / "data" / "train.parquet")["data_source"].unique().to_pylist() == ["arithmetic"]
    assert main(["verl-data", "arithmetic", *argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == {"train": 40, "validation": 8}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "a task and a folder for its rows are needed"),
        (["arithmetic"], "a task and a folder for its rows are needed"),
        (["aime24", "--data", "rows.jsonl", "--out", "data"], "rows.jsonl"),
        (["arithmetik", "--out", "data"], "did you mean 'arithmetic'?"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verl-data", *argv]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_task_to_be_tested_on_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "a", "problem": "What is one and one?", "answer": "2"}\n')
    assert main(["verl-data", "aime24", "--data", str(rows), "--out", str(tmp_path)]) == 2
    assert "train" in capsys.readouterr().err
