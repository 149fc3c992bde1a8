import json
from pathlib import Path

import deadlines as script
import pytest
from open_loop import Answer, Timed
from rich.console import Console


def test_of_all_requests_those_count_that_are_right_and_in_time() -> None:
    answers = [
        Timed(Answer(10, 3, is_right=True), 0.5),
        Timed(Answer(10, 3, is_right=True), 1.5),
        Timed(Answer(10, 3, is_right=False), 0.5),
        Timed(Answer(is_refused=True), 0.01),
    ]
    found = script.line(1.0, "deadline", [0.0, 0.1, 0.2, 0.3], answers, 1.0)
    assert found["right_in_time_of_all"] == 0.25
    assert (found["num_refused"], found["right"]) == (1, pytest.approx(2 / 3))


@pytest.mark.full
def test_the_script_runs_and_writes_nothing_when_it_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main(["--requests", "6", "--out", str(tmp_path / "deadlines.json")])
    assert "60 of 60 impossible deadlines refused at once" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_table_says_what_the_file_says() -> None:
    if not script.RESULTS.exists():
        pytest.skip("nothing is measured yet")
    for found in json.loads(script.RESULTS.read_text()).values():
        console = Console(width=140, record=True)
        script.show(found, console)
        assert f"{found['loads'][0]['in_time']:.1%}" in console.export_text()
