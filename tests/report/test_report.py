import json
from pathlib import Path

import pytest

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.spending import generated_tokens
from elastic_reasoning.analysis.yardsticks import yardsticks
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.report.report import write_report
from elastic_reasoning.report.table import rows_to_json
from elastic_reasoning.report.yardsticks import numbers_of
from make_records import make_records, write_folder

RECORDS = make_records(num_problems=6, num_samples=2, budgets=("8+20", "24+20", "64+20"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "run", RECORDS)


def test_a_report_is_a_pure_function_of_records(folder: Path, tmp_path: Path) -> None:
    first, second = (write_report(folder, tmp_path / name, trained_at="24+20") for name in ("a", "b"))
    assert {name: path.name for name, path in first.items()} == {
        "page": "report.html",
        "png": "accuracy.png",
        "summary": "summary.json",
        "csv": "results.csv",
        "yardsticks": "yardsticks.csv",
        "equal_tokens": "equal_tokens.csv",
        "latex": "results.tex",
    }
    assert second.keys() == first.keys()
    written = {path.name for path in (tmp_path / "a").iterdir()}
    figures = {f"{name}.{kind}" for name in ("accuracy", "tokens", "thinking", "lengths") for kind in ("png", "svg")}
    assert written == {path.name for path in first.values()} | figures
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).stat().st_size > 1000


def test_the_summary_has_every_number(folder: Path, tmp_path: Path) -> None:
    summary = json.loads(write_report(folder, tmp_path)["summary"].read_text())
    assert summary["rows"] == json.loads(rows_to_json(summarise(RECORDS)))
    assert (summary["num_sampled_tokens"], summary["num_generated_tokens"]) == generated_tokens(RECORDS)
    assert len(summary["pairs"]) == 3 * 3 + 1 + 2 * 2 * 3
    assert [row["model"] for row in summary["reasoning"]] == [row["model"] for row in summary["rows"]]
    assert summary["yardsticks"] == [numbers_of(each) for each in yardsticks(RECORDS)]
    assert summary["seconds"] == {"mini": 0.0, "mini-e1": 0.0}
    assert summary["run"]["task"] == "arithmetic"
    assert summary["run"]["versions"]["torch"] == "2.9.0"


def test_a_report_can_be_made_of_an_unfinished_sweep(folder: Path, tmp_path: Path) -> None:
    records = folder / "records/main.jsonl"
    records.write_bytes(records.read_bytes()[: records.stat().st_size // 3])
    assert write_report(folder, tmp_path)["page"].exists()


def test_without_records_there_is_no_report(tmp_path: Path) -> None:
    write_folder(tmp_path / "run", [])
    with pytest.raises(RecordsError, match="has no records yet"):
        write_report(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError, match=r"cannot write .*folder that can be written"):
        write_report(folder, tmp_path / "file" / "out")
