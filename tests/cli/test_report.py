import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.analysis.spending import generated_tokens
from elastic_reasoning.cli.main import main
from make_records import make_manifest, make_records, write_folder

RECORDS = make_records(num_problems=4, num_samples=1, budgets=("8+20", "24+20"))
FIGURES = {f"{name}.{kind}" for name in ("accuracy", "tokens", "thinking", "lengths") for kind in ("png", "svg")}
FILES = {"report.html", "summary.json", "results.csv", "yardsticks.csv", "equal_tokens.csv", "results.tex", *FIGURES}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "run", RECORDS)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["report", *argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("elastic: error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("width", ["80", "120"])
def test_table_and_page(
    folder: Path, width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert main(["report", str(folder)]) == 0
    out = capsys.readouterr().out
    assert {path.name for path in (folder / "report").iterdir()} == FILES
    table = out.partition("tokens were generated")[0]
    assert "…" not in table
    assert max(map(len, table.splitlines())) <= int(width)
    for word in ("mini-e1", "unconstrained", "24+20", "inf+inf", "accuracy", "OckScore", "REG", "hindsight"):
        assert word in table
    num_sampled, num_generated = generated_tokens(RECORDS)
    assert f"{num_generated:,} tokens were generated for {num_sampled:,} in the records" in out
    assert str(folder / "report" / "report.html") in out


def test_a_table_in_a_file_is_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    main(["report", str(folder)])
    out = capsys.readouterr().out
    assert "total" in out
    assert "…" not in out.partition("records:")[0]


def test_the_table_as_json(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--records", str(folder), "--out", str(tmp_path / "out"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert len(data["rows"]) == 2 * (3 * 2 + 1)
    assert [(each["model"], len(each["steps"])) for each in data["yardsticks"]] == [("mini", 2)] * 3 + [
        ("mini-e1", 2)
    ] * 3
    assert (data["num_sampled_tokens"], data["num_generated_tokens"]) == generated_tokens(RECORDS)
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_title_and_mark_and_nothing_published(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "aime", RECORDS, replace(make_manifest(), task="aime24"))
    title = "E1 <gegen> S1 ±é"
    assert main(["report", str(folder), "--title", title, "--trained_at", "24+20", "--published", "false"]) == 0
    page = (folder / "report" / "report.html").read_text("utf-8")
    assert "E1 &lt;gegen&gt; S1 ±é" in page
    assert "model card" not in page


def test_what_cannot_be_reported_is_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    assert "no folder of records" in refused(capsys)
    assert "has no manifest.json" in refused(capsys, str(tmp_path / "none"))
    assert "has no manifest.json" in refused(capsys, str(tmp_path / "empty"))
    assert "cannot read" in refused(capsys, str(tmp_path / "file"))
    assert "folder that can be written" in refused(capsys, str(folder), "--out", str(tmp_path / "file"))
    assert "budget 'x'" in refused(capsys, str(folder), "--trained_at", "x")
    assert "max_problems -1" in refused(capsys, str(folder), "--max_problems", "-1")
    assert "did you mean 'title'" in refused(capsys, str(folder), "--titel", "x")


def test_a_damaged_file_is_one_line_and_is_left_as_it_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, manifest = folder / "records/main.jsonl", folder / "manifest.json"
    whole = records.read_bytes()
    lines = whole.splitlines(keepends=True)
    for damage in (b"{broken\n", b'{"model": 1}\n', b"\n", b"\xff\n"):
        records.write_bytes(b"".join([*lines[:2], damage, *lines[2:]]))
        before = records.read_bytes()
        assert "line 3" in refused(capsys, str(folder))
        assert records.read_bytes() == before
    records.write_bytes(b"")
    assert "has no records yet" in refused(capsys, str(folder))
    records.unlink()
    assert "cannot read" in refused(capsys, str(folder))
    records.write_bytes(whole)
    manifest.write_text("{")
    assert "is damaged" in refused(capsys, str(folder))
    shutil.rmtree(folder / "report", ignore_errors=True)


def test_a_title_is_text(folder: Path) -> None:
    assert main(["report", str(folder), "--title", r"$\nothing$ from $5 to $6 [bold]<b>& {x}"]) == 0
