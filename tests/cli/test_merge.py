import json
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main

FLAGS = ["--models", "mini", "--strategies", "elastic", "--budgets", "2+2,4+2", "--limit", "5"]


def swept(folder: Path, part: str, *argv: str) -> str:
    assert main(["sweep", *FLAGS, "--out", str(folder), "--part", part, *argv]) == 0
    return str(folder)


def test_parts_of_a_sweep_are_joined_and_what_lacks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, three = swept(tmp_path / "one", "1/3"), swept(tmp_path / "three", "3/3")
    out, err = capsys.readouterr()
    assert "part 1/3: 2 of 5 problems" in err
    assert f"part 1/3 is done: 4 of 10 records of the whole are in {one}\n" in out
    assert not (tmp_path / "one/report").exists()
    whole = str(tmp_path / "whole")
    assert main(["merge", one, three, "--out", whole]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{one}: 4 records, 4 of them new",
        f"{three}: 2 records, 2 of them new",
        f"{whole}: 6 records; 4 of 10 are missing",
        "  part 2/3 lacks 4",
    ]
    swept(Path(whole), "2/3")
    assert (
        f"part 2/3 is done: all 10 records of the whole are there: elastic report {whole}\n" in capsys.readouterr().out
    )
    assert main(["merge", one, "--out", whole, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"num_records": 10, "num_whole": 10, "num_lacking": 0, "lacking": {}, "records": whole}


def test_what_other_folders_lack_is_told_by_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = swept(tmp_path / "a", "1/1", "--writer", "main")
    lines = tmp_path / "a/records/main.jsonl"
    *kept, last = lines.read_bytes().splitlines(True)
    lines.write_bytes(b"".join(kept))
    capsys.readouterr()
    assert main(["merge", folder, "--out", str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{tmp_path / 'b'}: 9 records; 1 of 10 are missing",
        f"  mini/elastic/{json.loads(last)['budget']} lacks 1",
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--out", "x"], "no folder of records: elastic merge runs/part-1"),
        (["a"], "out is empty"),
        (["a", "--out", "x", "--prefer", "last"], "prefer 'last': must be first, or nothing"),
        (["a", "--out", "x"], "a has no manifest.json"),
    ],
)
def test_refusals(
    argv: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["merge", *argv]) == 2
    err = capsys.readouterr().err
    assert err.startswith("elastic: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert [*tmp_path.iterdir()] == []
