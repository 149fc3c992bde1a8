import json
import re
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from make_records import make_records, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    records = make_records(num_problems=6, budgets=["24+20"], strategies=["elastic"])
    return str(write_folder(tmp_path_factory.mktemp("records"), records))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["reasoning", *arguments]) == 0
    return capsys.readouterr().out


def test_every_setting_is_a_line(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, folder)
    assert text.count("/elastic/24+20") == 4  # in the table of measures and in that of lengths
    assert text.count("/unconstrained/inf+inf") == 4
    assert "words of reflection a 1000 thinking tokens" in text
    assert "verified" not in text  # the made-up problems are not those of the miniature


def test_two_settings_are_compared(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, folder, "--settings", "mini/elastic/24+20,mini-e1/elastic/24+20", "--problem", "chain-0002")
    assert "on the same problems" in text
    assert " ± " in text
    assert text.count("sample 0: ") == text.count("sample 1: ") == 2
    assert text.count("[forced: </think>]") == 2  # the other two closed by themselves


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_nothing_is_wider_than_the_terminal_and_no_number_is_broken(
    folder: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = run(capsys, folder, "--settings", "mini/elastic,mini-e1/elastic", "--problem", "chain-0002")
    assert max(map(len, text.splitlines())) <= width
    found = json.loads(run(capsys, folder, "--settings", "elastic", "--json"))
    for change in found["changes"]:
        assert f"{change['difference']:+.1f} ± " in text or f"{change['difference']:+.3f} ± " in text
    for title in ("thinking", "repeats", "deflated", "90%"):
        assert re.search(rf"(?<!\S){title}(?!\S)", text)


def test_everything_is_json(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = "mini-e1/elastic/24+20,mini/elastic/24+20"
    found = json.loads(run(capsys, folder, "--settings", settings, "--problem", "chain-0002", "--json"))
    assert [row["model"] for row in found["rows"]] == ["mini", "mini-e1"]
    assert [side["model"] for side in found["sides"]] == ["mini-e1", "mini-e1", "mini", "mini"]
    tokens = found["changes"][0]
    means = {row["model"]: row["thinking_tokens"] for row in found["rows"]}
    assert (tokens["a"], tokens["b"]) == (means["mini-e1"], means["mini"])
    assert len(found["rows"][0]["length_by_tenth"]) == 10
    everything = json.loads(run(capsys, folder, "--json"))
    assert len(everything["rows"]) == 4
    assert everything["changes"] == everything["sides"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--settings", "mini/elastic/24+21"], "--settings 'mini/elastic/24+21': no such setting; there are mini/el"),
        (["--settings", "mini elastic 24+20"], "--settings 'mini elastic 24+20': write it as mini/elastic/24+20"),
        (["--problem", "chain-9999"], "problem 'chain-9999' has no sample under"),
    ],
)
def test_what_is_not_there_is_said(
    folder: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reasoning", folder, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert main(["reasoning"]) == 2
    assert main(["reasoning", str(Path(folder, "nowhere"))]) == 2
