import json
from pathlib import Path

import pytest
import yaml

from elastic_reasoning.cli.main import main
from elastic_reasoning.records.log import read_records

ARGUMENTS = ["--model", "mini-e1", "--budgets", "8+20,16+20,24+20", "--tokens", "29,31", "--limit", "40"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("allocate")
    assert main(["allocate", *ARGUMENTS, "--out", str(folder)]) == 0
    return folder


def test_what_was_found_is_told_as_a_table(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["allocate", *ARGUMENTS, "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mini-e1, at most 24+20 each; measured on 20 held-out problems"
    assert [line.split()[0] for line in lines[2:4]] == ["29", "31"]
    assert lines[-3].endswith("beat one t for all by more than two standard errors")
    assert lines[-2].startswith("rules were found on 20 problems; ")
    assert lines[-1] == f"to run a rule: elastic eval --recipe {out}/tokens-29.yaml"


def test_the_same_as_json_and_as_a_file(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["allocate", *ARGUMENTS, "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "allocation.json").read_text())
    assert [each["wanted_tokens"] for each in told] == [29, 31]
    assert {"accuracy", "uniform_accuracy", "difference", "difference_se", "bound"} <= told[0]["reached"].keys()


def test_a_rule_is_a_recipe(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = out / "tokens-31.yaml"
    assert yaml.safe_load(recipe.read_text())["strategy"] == "allocated"
    argv = ["eval", "--recipe", str(recipe), "--limit", "4", "--out", str(tmp_path / "run"), "--report", "false"]
    assert main(argv) == 0
    told = json.loads((out / "allocation.json").read_text())[1]
    before = {record.problem: record for record in read_records(told["records"])[1]}
    again = list(read_records(tmp_path / "run")[1])
    assert len(again) == 4
    assert all(before[record.problem] == record for record in again)


def test_without_tokens_it_is_said_what_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["allocate", "--model", "mini"]) == 2
    assert "tokens is empty" in capsys.readouterr().err
