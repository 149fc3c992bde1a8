import json
from pathlib import Path

import pytest
import reported_answers


def test_verdicts_are_counted_by_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"reference": "5", "solution": r"\boxed{x=5}", "correct": True, "kind": "names"},
        {"reference": "5", "solution": r"\boxed{6}", "correct": False, "kind": "numbers"},
        {"reference": "5", "solution": r"\boxed{7}", "correct": True, "kind": "numbers"},
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert reported_answers.main(["--data", str(data), "--limit", "2"]) == 0
    assert reported_answers.main(["--data", str(data), "--limit", "3"]) == 1
    assert r"otherwise: 5 | \boxed{7}" in capsys.readouterr().out
    found = reported_answers.measure(rows)
    assert found["kinds"] == {"names": {"num_right": 1, "num_rows": 1}, "numbers": {"num_right": 1, "num_rows": 2}}
    assert found["rules"] == {"name left out": 1}


def test_without_rows_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reported_answers.main(["--data", str(tmp_path / "none.jsonl")]) == 0
    assert "nothing is measured" in capsys.readouterr().out
