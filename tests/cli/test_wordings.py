"""Wordings tried against each other, on the miniature."""

import json
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.records.log import read_records

ON = ["--model", "mini", "--budget", "2+6", "--sweep.limit", "4"]


def test_wordings_are_tried_beside_none_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["recommend", "--wrap-up", "so, ok", "--wrap-up={left} so", *ON, "--sweep.out", str(tmp_path)]
    assert main(argv) == 0
    first, second, third, corrected, *best = capsys.readouterr().out.splitlines()
    assert first.endswith("% right without any text, on 4 problems")
    assert second.endswith(": 'so, ok'")
    assert third.endswith(": '{left} so'")
    assert corrected == "differences are paired; p is corrected for all texts"
    assert " on the 2 problems to choose on" in best[0]
    folders = sorted(tmp_path.iterdir())
    assert [folder.name[:8] for folder in folders] == ["no-wordi", "wording-", "wording-"]
    told = {read_records(folder)[0].config["options"]["elastic"]["wrap_up"] for folder in folders}
    assert told == {"", "so, ok", "{left} so"}
    # Started again, nothing is made anew, and the same is said.
    assert main([*argv, "--json"]) == 0
    assert [each["text"] for each in json.loads(capsys.readouterr().out)["wordings"]] == ["so, ok", "{left} so"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--wrap-up", "so"], "give --model and --budget"),
        (["--wrap-up", "so", *ON, "--total", "44"], "wordings are tried, not read from records"),
        (["--wrap-up", "so", "runs/sweep", *ON], "wordings are tried, not read from records"),
        (["--wrap-up", "", *ON], "no text at all is tried in any case"),
        (["--wrap-up", "so", *ON, "--strategy", "s1"], "strategy 's1' forces no text before a close: use elastic"),
        (["--budget", "24+20"], "add --wrap-up"),
        (["--wrap-up"], "--wrap"),
    ],
)
def test_what_cannot_be_tried_is_refused(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", *argv]) == 2
    assert message in capsys.readouterr().err
