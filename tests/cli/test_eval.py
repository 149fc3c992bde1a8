import json
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import read_manifest

SMALL = ("--model", "mini", "--limit", "3", "--report", "false")


def test_one_setting_is_measured_and_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["eval", *SMALL, "--budget", "8+4", "--samples", "2", "--out", str(tmp_path)]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert "6 samples of 3 problems in each row" in out
    assert "tokens/s generated" in out
    assert err == ""
    _, records = read_records(tmp_path)
    assert {(r.model, r.strategy, r.budget) for r in records} == {("mini", "elastic", "8+4")}
    assert all(record.seconds >= 0 for record in records)
    assert sum(record.seconds for record in records) > 0
    assert main(argv) == 0
    assert capsys.readouterr().out == out


def test_one_model_thinks_and_another_one_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = ["--thinking-model", "mini", "--solution-model", "mini-e1", "--report", "false", "--json"]
    assert main(["eval", *pair, "--limit", "4", "--budget", "8+4", "--out", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["model"] for row in rows] == ["mini>mini-e1"]
    assert read_manifest(tmp_path).config["models_digest"].keys() == {"mini", "mini-e1"}


def test_half_a_pair_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--thinking-model", "mini", "--out", str(tmp_path / "run")]) == 2
    assert "thinking_model is given alone" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["eval", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for words in ("Thinking and solution tokens, as 1024+512", "A local JSONL (also .jsonl.gz)", "Print the table as"):
        assert words in text
