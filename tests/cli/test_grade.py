import json
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.records.log import read_records
from make_records import rewrite


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    argv = ["eval", "--model", "mini", "--limit", "3", "--budget", "8+4", "--report", "false"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    return tmp_path / "run"


def test_records_are_graded_into_a_folder_beside_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", str(run)]) == 0
    out, err = capsys.readouterr()
    assert "3 records were graded now, 0 verdicts are other ones than before" in out
    assert err == ""
    assert list(read_records(run.with_name("run-graded"))[1]) == list(read_records(run)[1])


def test_changed_verdicts_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = next(iter(read_records(run)[1])).key
    no_number = {"correct": True, "reason": None, "solution": "no number"}
    rewrite(run, lambda record: replace(record, **no_number) if record.key == first else record)
    assert main(["grade", str(run), "--json", "--out", str(run.with_name("again"))]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["num_graded"] == 3
    assert data["changes"] == [{"before": "correct", "now": "no answer", "num_records": 1}]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "no folder of records"),
        (["nowhere"], "nowhere has no manifest.json"),
        (["x", "--grading-workers", "-1"], "grading_workers -1"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["grade", *argv]) == 2
    assert message in capsys.readouterr().err
