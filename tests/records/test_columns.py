import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.reasoning import reasoning_rows
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.grading.tally import Tally
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import RecordsWriter, read_records
from make_records import BASE, TRAINED, make_records, old_lines, write_folder

RECORDS = make_records(num_problems=4, num_samples=2, budgets=("8+20", "64+20"))
RECORDS[3:5] = [
    replace(RECORDS[3], error="lost", correct=None, answer=None, reason=None),
    replace(
        RECORDS[4], correct=False, reason="time limit", rule="same value", seconds=1.5, tallies=(Tally("kept", 1, 3),)
    ),
]


@pytest.fixture(params=["memory", "folder", "old folder"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    if request.param == "memory":
        return Records.of(RECORDS)
    write_folder(tmp_path, RECORDS)
    if request.param == "old folder":
        shutil.rmtree(tmp_path / "records")
        (tmp_path / "records.jsonl").write_text(old_lines(RECORDS))
    return read_records(tmp_path)[1]


def test_columns_say_what_the_records_say(records: Records) -> None:
    assert len(records) == len(RECORDS)
    assert list(records) == RECORDS
    assert list(records.keys()) == [record.key for record in RECORDS]
    for name in ("sample", "num_sampled_tokens", "num_thinking_tokens", "closed_by_prompt", "budget_hit", "seconds"):
        assert records[name].tolist() == [getattr(record, name) for record in RECORDS]
    for name in ("answer", "reason", "error", "rule"):
        assert records.texts(name) == [getattr(record, name) for record in RECORDS]
    assert records.tallies() == [record.tallies for record in RECORDS]
    assert records["correct"].tolist() == [bool(record.correct) for record in RECORDS]
    assert records.among("reason", ["time limit", "never said"]).nonzero()[0].tolist() == [4]


def test_parts_are_in_order(records: Records) -> None:
    assert list(records.graded()) == [record for record in RECORDS if record.error is None]
    assert records.settings == list(dict.fromkeys(record.setting for record in RECORDS))
    groups = records.by_setting()
    assert list(groups) == records.settings
    for setting, group in groups.items():
        assert list(group) == [record for record in RECORDS if record.setting == setting]
        for problem, samples in group.by_problem().items():
            assert list(samples) == [r for r in RECORDS if r.setting == setting and r.problem == problem]
    assert list(records.of_model(TRAINED)) == [record for record in RECORDS if record.model == TRAINED]
    chosen = [Setting.of(BASE, "s1", "8+20"), Setting.of("nobody", "s1", "8+20")]
    assert list(records.under(chosen)) == [record for record in RECORDS if record.setting == chosen[0]]
    assert list(records.where(np.array([5, 2]))) == [RECORDS[5], RECORDS[2]]


def test_nothing_is_no_error() -> None:
    nothing = Records.of([])
    assert len(nothing) == 0
    assert list(nothing) == nothing.settings == []
    assert nothing.by_problem() == {}
    assert nothing.measured.shape[0] == 0
    assert summarise(nothing) == []


def test_tables_and_measures_of_thinking_need_no_traces(tmp_path: Path) -> None:
    write_folder(tmp_path, RECORDS)
    shutil.rmtree(tmp_path / "traces")
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "main.jsonl").touch()
    _, records = read_records(tmp_path)
    assert summarise(records) == summarise(RECORDS)
    assert reasoning_rows(records) == reasoning_rows(RECORDS)
    with pytest.raises(RecordsError, match=r"main.jsonl, at byte 0: not a trace .*restore it"):
        next(iter(records))


def test_what_is_written_later_is_not_among_them(tmp_path: Path) -> None:
    write_folder(tmp_path, RECORDS[:-1])
    _, records = read_records(tmp_path)
    with RecordsWriter(tmp_path) as writer:
        writer.write(RECORDS[-1])
    assert len(records) == len(records.measured) == len(list(records)) == len(RECORDS) - 1
