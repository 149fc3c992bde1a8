import json
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.analysis.calibrate import calibrate
from elastic_reasoning.analysis.effort import read_efforts
from elastic_reasoning.analysis.recommend import recommend
from elastic_reasoning.cli.main import main
from elastic_reasoning.records.log import read_records
from make_records import make_manifest, make_records, write_folder

RECORDS = make_records(40, 2, budgets=("8+20", "24+20", "96+20"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("run") / "run", RECORDS)


def test_a_total_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", str(folder), "--total", "44", "--model", "mini-e1"]) == 0
    first, second, third, last = capsys.readouterr().out.splitlines()
    choice = recommend(read_records(folder), total=44, model="mini-e1")
    assert first.startswith(f"mini-e1/elastic/{choice.budget}: {choice.total_tokens} tokens in all, ")
    assert f"accuracy {100 * choice.accuracy:.1f} ± {100 * choice.accuracy_se:.1f}%, 95% interval " in second
    assert "on 20 held-out problems (" in second
    assert third.startswith(f"first of 2 budgets that fit; the next is {choice.runner_up} with ")
    assert last == ("the choice is clear" if choice.clear else "the choice is not clear: more problems would tell")


def test_an_accuracy_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", str(folder), "--accuracy", "0.5", "--model", "mini-e1", "--json"]) == 0
    choice = recommend(read_records(folder), accuracy=0.5, model="mini-e1")
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(choice.to_dict()))
    assert (choice.wanted_accuracy, choice.wanted_total) == (0.5, None)


def test_an_accuracy_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for accuracy, sure in (
        ("0.2", "\nall of the interval reaches 20%"),
        ("1", "\nnot all of the interval reaches 100%: a l"),
    ):
        assert main(["recommend", str(folder), "--accuracy", accuracy, "--model", "mini-e1"]) == 0
        assert sure in capsys.readouterr().out


def test_a_validation_split_and_a_single_budget_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = replace(make_manifest(), split="validation")
    run = write_folder(tmp_path / "run", RECORDS, manifest)
    assert main(["recommend", str(run), "--total", "28", "--model", "mini"]) == 0
    out = capsys.readouterr().out
    assert "on the 40 validation problems that it was chosen on; measure it on the test split" in out
    assert "it was the only budget that fits" in out


def test_efforts_of_every_model_are_saved(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "budgets.yaml"
    assert main(["recommend", str(folder), "--save", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    saved = read_efforts(path)
    assert list(saved) == ["mini", "mini-e1"]
    assert saved["mini-e1"] == calibrate(read_records(folder), model="mini-e1", folder="run")
    assert lines[0].startswith("mini/elastic: best is 96+20, ")
    assert lines[0].endswith("on 20 held-out problems, the largest that was measured: a larger one may be better")
    assert lines[5].startswith(f"  low: {saved['mini-e1'].efforts['low'].budget}, ")
    assert "90 wanted: " in lines[5]
    assert lines[-1] == f"saved to {path}; elastic serve --budgets {path} uses it"


def test_efforts_of_one_model_with_shares_of_ones_own(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "budgets.yaml"
    argv = ["recommend", str(folder), "--save", str(path), "--shares", "{low: 20, max: 100}", "--model", "mini"]
    assert main([*argv, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said) == list(read_efforts(path)) == ["mini"]
    assert list(said["mini"]["efforts"]) == ["low", "max"]
    assert said["mini"]["efforts"]["low"]["measured"]["wanted_share_of_best"] == 0.2


def test_what_cannot_be_recommended_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv, message in (
        ([], "no folder of records"),
        ([str(folder), "--model", "mini"], "give either a total of tokens or an accuracy"),
        ([str(folder), "--model", "mini", "--total", "5"], "the smallest of mini under elastic is 8+20, 28 in all"),
        ([str(folder), "--total", "many"], "must be"),
        ([str(folder), "--total", "44", "--save", "b.yaml"], "leave out --total and --accuracy, or --save"),
        ([str(folder), "--shares", "{low: 80}", "--total", "44"], "add --save budgets.yaml"),
        ([str(folder), "--save", "b.yaml", "--shares", "{lo: 80}"], "unknown effort 'lo': did you mean 'low'"),
        ([str(folder), "--totl", "44"], "did you mean 'total'"),
    ):
        assert main(["recommend", *argv]) == 2
        error = capsys.readouterr().err
        assert error.startswith("elastic: error: ")
        assert error.count("\n") == 1
        assert message in error
