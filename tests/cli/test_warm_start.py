import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from elastic_reasoning.cli.main import main
from elastic_reasoning.miniature.no_think_model import write_no_think_model


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    torch.set_num_threads(1)
    model, rows = write_no_think_model(tmp_path_factory.mktemp("no-think"), num_rows=40)
    settings = {"model": model, "data": rows, "steps": 2, "batch-size": 4, "held_out_share": 0.2}
    return ["warm-start", *(f"--{name}={value}" for name, value in settings.items())]


def test_a_run_and_its_answer(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*flags, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line[:15] for line in lines[:3]] == ["step    1  loss", "step    2  loss", "step    2  held"]
    assert lines[3].startswith("selected step 2 (held-out loss ")
    assert lines[4] == f"next: elastic train --model {tmp_path / 'model'}"
    assert printed.err.count("\n") == 1
    assert "rows to learn from" in printed.err
    assert main([*flags, "--out", str(tmp_path), "--json"]) == 0  # a finished run answers at once
    values = json.loads(capsys.readouterr().out)
    assert (values["model"], values["step"], values["resumed_from"]) == (str(tmp_path / "model"), 2, 2)


def test_json_has_one_line_for_each_step_and_measurement(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--out", str(tmp_path), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 2, 2]
    assert "held_out_loss" in lines[2]


@pytest.mark.parametrize("name", ["warm-start", "mini-warm-start"])
def test_the_recipes_can_be_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(files("elastic_reasoning.recipes") / f"{name}.yaml")
    monkeypatch.chdir(tmp_path)
    assert main(["warm-start", "--recipe", recipe]) == 2
    assert re.search(r"cannot read \S+\.jsonl: No such file", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--data", "absent.jsonl"], "cannot read absent.jsonl: No such file"),
        (["--steps", "0"], "steps 0: must be 1 or more"),
        (["--step", "3"], "did you mean 'steps'?"),
        (["--model", "absent"], "unknown model 'absent'"),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    flags: list[str], tmp_path: Path, wrong: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [flag for flag in flags if not flag.startswith(f"{wrong[0]}=")]  # a flag is given once
    assert main([*others, "--out", str(tmp_path / "run"), *wrong]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert printed.err.count("\n") == 1
