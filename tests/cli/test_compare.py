import json
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.analysis.compare import paired_difference
from elastic_reasoning.cli.main import main
from elastic_reasoning.core.setting import Setting
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
    gap = paired_difference(RECORDS, Setting.of("mini", "elastic", "24+20"), Setting.of("mini-e1", "elastic", "24+20"))
    assert gap.se is not None
    assert f"{100 * gap.difference:+.1f} ± {100 * gap.se:.1f}" in out
    assert out.count("→") == 1 + 7


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("model", ["mini", "Qwen/Qwen3-0.6B", "runs/" + "a-long-name-" * 4])
def test_any_terminal_shows_whole_words_and_numbers(
    tmp_path: Path, width: int, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [replace(record, model=model if record.model == "mini" else record.model) for record in RECORDS]
    folder = str(write_folder(tmp_path / "run", records))
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["compare", folder, "--a", model, "--b", "mini-e1"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    gap = paired_difference(records, Setting.of(model, "s1", "24+20"), Setting.of("mini-e1", "s1", "24+20"))
    assert gap.se is not None
    assert f"{100 * gap.difference:+.1f} ± {100 * gap.se:.1f}" in out
    for word in ("mini-e1/", "s1", "vanilla", "24+20", *(["Qwen3-0.6B/"] if "Qwen" in model else [])):
        assert word in out


def test_one_model_under_two_strategies_is_compared_at_each_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(write_folder(tmp_path / "run", RECORDS))
    assert main(["compare", folder, "--a", "mini/elastic", "--b", "mini/s1", "--json"]) == 0
    pairs = json.loads(capsys.readouterr().out)["pairs"]
    assert [(pair["a"], pair["b"]) for pair in pairs] == [
        (f"mini/elastic/{budget}", f"mini/s1/{budget}") for budget in ("8+20", "24+20")
    ]


def test_what_was_told_otherwise_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for answer_tokens, temperature in ((20, 1.0), (2, 0.6)):
        told = {"s1": {"answer_tokens": answer_tokens, "wait": ""}, "elastic": {"wrap_up": ""}, "vanilla": {}}
        config = {**make_manifest().config, "options": told, "temperature": temperature}
        folder = tmp_path / str(answer_tokens)
        folders.append(str(write_folder(folder, RECORDS, replace(make_manifest(), config=config))))
    assert main(["compare", *folders]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "the runs differ in more than their settings: --temperature: 1.0 in a, 0.6 in b" in out
    assert out.endswith("--options.answer_tokens differs: 20 for s1 (a), 2 for s1 (b)")
    assert main(["compare", folders[0], "--a", "mini/elastic", "--b", "mini/s1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "in more than their settings" not in out
    assert out.endswith("--options.answer_tokens differs: none for elastic (a), 20 for s1 (b)")
    assert main(["compare", folders[0], "--a", "mini/elastic", "--b", "mini-e1/elastic"]) == 0
    assert "differ" not in capsys.readouterr().out.replace("difference", "")
    assert main(["compare", *folders, "--a", "s1", "--b", "s1", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["differences"] == {"temperature": [1.0, 0.6]}
    assert [pair["options"] for pair in data["pairs"]] == [{"answer_tokens": [20, 2]}] * 4


def test_json_has_the_numbers(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *folders, "--a", "elastic", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["run_a"], data["run_b"]) == folders
    assert [pair["a"] for pair in data["pairs"]] == ["mini/elastic/8+20", "mini/elastic/24+20"]
    gap = paired_difference(RECORDS, Setting.of("mini", "elastic", "8+20"), Setting.of("mini-e1", "elastic", "8+20"))
    assert data["pairs"][0]["difference"] == gap.difference


def test_two_settings_of_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(write_folder(tmp_path / "run", RECORDS))
    chosen = ["--a", "mini/elastic/8+20", "--b", "mini-e1/s1/24+20"]
    assert main(["compare", folder, *chosen, "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert (pair["a"], pair["b"]) == ("mini/elastic/8+20", "mini-e1/s1/24+20")
    assert main(["compare", folder, "--a=mini", "--b=mini-e1"]) == 0  # each strategy and budget of two models
    assert capsys.readouterr().out.count("→") == 1 + 7


def test_what_cannot_be_compared_is_one_line(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = folders
    assert "no folder of records" in refused(capsys)
    assert "pass a second folder" in refused(capsys, a)
    assert "compare two runs at a time" in refused(capsys, a, b, b)
    assert "no such setting; there are mini/elastic/8+20" in refused(capsys, a, b, "--a", "mini-e1")
    assert "has no manifest.json" in refused(capsys, a, str(tmp_path / "none"))
    assert "no setting with a common problem" in refused(
        capsys, a, b, "--a", "elastic/8+20", "--b", "s1/24+20,vanilla/24+20"
    )
    other = write_folder(tmp_path / "other", RECORDS, replace(make_manifest(), task="aime24"))
    assert "different tasks, arithmetic and aime24" in refused(capsys, a, str(other))
