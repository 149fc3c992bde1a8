import json
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.evaluation.metrics import paired_difference
from make_records import make_manifest, make_records, write_folder

RECORDS = make_records(num_problems=6, num_samples=2, budgets=("8+20", "24+20"))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Two runs of one model each."""
    for model in ("mini", "mini-e1"):
        write_folder(tmp_path / model, [record for record in RECORDS if record.model == model])
    return str(tmp_path / "mini"), str(tmp_path / "mini-e1")


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["compare", *argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("elastic: error: ")
    assert error.count("\n") == 1
    return error


def test_two_runs_are_compared_where_strategy_and_budget_agree(
    folders: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["compare", *folders]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    gap = paired_difference(RECORDS, ("mini", "elastic", "24+20"), ("mini-e1", "elastic", "24+20"))
    assert gap.se is not None
    assert f"{100 * gap.difference:+.1f} ± {100 * gap.se:.1f}" in out
    assert out.count("→") == 7


def test_json_has_the_numbers(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *folders, "--a", "elastic", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["run_a"], data["run_b"]) == folders
    assert [pair["a"] for pair in data["pairs"]] == [["mini", "elastic", "8+20"], ["mini", "elastic", "24+20"]]
    gap = paired_difference(RECORDS, ("mini", "elastic", "8+20"), ("mini-e1", "elastic", "8+20"))
    assert data["pairs"][0]["difference"] == gap.difference


def test_two_settings_of_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(write_folder(tmp_path / "run", RECORDS))
    chosen = ["--a", "mini/elastic/8+20", "--b", "mini-e1/s1/24+20"]
    assert main(["compare", folder, *chosen, "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert (pair["a"], pair["b"]) == (["mini", "elastic", "8+20"], ["mini-e1", "s1", "24+20"])
    assert main(["compare", folder, "--a=mini", "--b=mini-e1"]) == 0  # each strategy and budget of two models
    assert capsys.readouterr().out.count("→") == 7


def test_what_cannot_be_compared_is_one_line(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = folders
    assert "no folder of records" in refused(capsys)
    assert "pass a second folder" in refused(capsys, a)
    assert "compare two runs at a time" in refused(capsys, a, b, b)
    assert "no such setting; there are mini/elastic/8+20" in refused(capsys, a, b, "--a", "mini-e1")
    assert "has no manifest.json" in refused(capsys, a, str(tmp_path / "none"))
    assert "no setting with a common problem" in refused(capsys, a, b, "--a", "elastic", "--b", "s1")
    other = write_folder(tmp_path / "other", RECORDS, replace(make_manifest(), task="aime24"))
    assert "different tasks, arithmetic and aime24" in refused(capsys, a, str(other))
