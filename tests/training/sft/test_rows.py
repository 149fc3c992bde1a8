import json
import sys
from itertools import islice
from pathlib import Path

import pytest

from elastic_reasoning.tasks.loading import load_thoughts
from elastic_reasoning.training.sft.rows import main, write_rows


def test_the_first_rows_of_a_stream_are_written(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "new" / "rows.jsonl", ({"problem": str(number)} for number in range(9)), 3)
    assert path.read_text() == '{"problem": "0"}\n{"problem": "1"}\n{"problem": "2"}\n'


def test_the_rows_of_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    monkeypatch.setattr(sys, "argv", ["rows", "word_problems", str(out), "--rows", "5", "--seed", "3"])
    main()
    assert capsys.readouterr().out == f"rows: {out}\n"
    assert [json.loads(line) for line in out.read_text().splitlines()] == list(
        islice(load_thoughts("word_problems", 3), 5)
    )
