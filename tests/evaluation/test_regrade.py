import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import RecordsError, TaskError
from elastic_reasoning.evaluation.regrade import regrade
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from make_records import make_records
from random_words import CONFIG, load_engine


def swept(folder: Path) -> list[Record]:
    sweep(replace(CONFIG, out=str(folder)), load_engine=load_engine)
    return list(read_records(folder)[1])


def spoiled(folder: Path, records: list[Record]) -> Path:
    """The folder with verdicts that no grader gave, and one request that failed."""
    manifest = (folder / MANIFEST).read_bytes()
    other = folder.with_name("spoiled")
    with RecordsWriter(other) as writer:
        (other / MANIFEST).write_bytes(manifest)
        for number, record in enumerate(records):
            failed = {"correct": None, "answer": None, "reason": None, "error": "lost", "segments": [], "solution": ""}
            wrong = {"correct": not record.correct, "reason": "spoiled"}
            writer.write(replace(record, **(failed if number == 7 else wrong if number % 2 else {})))
    return other


def test_records_graded_again_are_those_that_a_sweep_grades(tmp_path: Path) -> None:
    records = swept(tmp_path / "run")
    other = spoiled(tmp_path / "run", records)
    before = (other / "records/main.jsonl").read_bytes()
    result = regrade(other, tmp_path / "again")
    assert result.num_graded == result.num_records == len(records)
    assert result.changes.total() == len(records) // 2 - 1
    found = {record.key: record for record in read_records(tmp_path / "again")[1]}
    for number, record in enumerate(records):
        if number == 7:
            assert found[record.key].error == "lost"
        else:
            assert found[record.key] == record
    assert (other / "records/main.jsonl").read_bytes() == before
    assert read_manifest(tmp_path / "again").config == read_manifest(tmp_path / "run").config


def test_records_of_before_it_was_counted_are_read_as_they_are_now(tmp_path: Path) -> None:
    """What stood before a closing delimiter in the solution used to be graded with what stands behind."""
    records = swept(tmp_path / "run")
    closed = [number for number, record in enumerate(records) if any(p["phase"] == "closing" for p in record.segments)]
    old = tmp_path / "old"
    with RecordsWriter(old) as writer:
        (old / MANIFEST).write_bytes((tmp_path / "run" / MANIFEST).read_bytes())
        for number, record in enumerate(records):
            closing = "".join(part["text"] for part in record.segments if part["phase"] == "closing")
            leaked = f"the answer is 7 {closing.strip()}" if number in closed else ""
            writer.write(replace(record, solution=leaked + record.solution))
    regrade(old, tmp_path / "again")
    found = {record.key: record for record in read_records(tmp_path / "again")[1]}
    assert closed
    for number, record in enumerate(records):
        assert found[record.key] == replace(record, closed_again=record.closed_again + (number in closed))


def test_grading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    records = swept(tmp_path / "run")

    def stop(record: Record) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    left = 20
    with pytest.raises(KeyboardInterrupt):
        regrade(tmp_path / "run", tmp_path / "again", on_record=stop)
    result = regrade(tmp_path / "run", tmp_path / "again")
    assert (result.num_records, result.num_graded) == (len(records), len(records) - 20)
    assert {r.key for r in read_records(tmp_path / "again")[1]} == {r.key for r in records}


def test_the_records_themselves_stay_as_they_are(tmp_path: Path) -> None:
    swept(tmp_path / "run")
    with pytest.raises(RecordsError, match="is the folder of the records itself"):
        regrade(tmp_path / "run", tmp_path / "x" / ".." / "run")


def test_a_task_that_no_longer_has_the_problems_is_refused(tmp_path: Path) -> None:
    swept(tmp_path / "run")
    path = tmp_path / "run" / MANIFEST
    text = path.read_text()
    first = read_manifest(tmp_path / "run").problems[0]["id"]
    path.write_text(text.replace(first, "arithmetic-gone"))
    with pytest.raises(RecordsError, match=r"1 problems of the records are not in task arithmetic .*arithmetic-gone"):
        regrade(tmp_path / "run", tmp_path / "again")
    path.write_text(text.replace('"task": "arithmetic"', '"task": "arithmetik"'))
    with pytest.raises(TaskError, match="did you mean 'arithmetic'"):
        regrade(tmp_path / "run", tmp_path / "again")


def test_rounding_to_the_reference_stands_in_the_manifest_and_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "km.jsonl"
    data.write_text(json.dumps({"id": "km", "problem": "How far?", "answer": "1538"}) + "\n")
    with closing(load_task(TaskConfig(str(data)))) as task:
        manifest = Manifest.new(str(data), "test", 0, {"samples": 1}, task.problems("test"))
    record = replace(make_records(1, 1)[0], problem="km", solution=r"\boxed{1538.46}", correct=None, error=None)
    with RecordsWriter(tmp_path / "run") as writer:
        write_manifest(tmp_path / "run", manifest)
        writer.write(record)
    verdicts = []
    for before, after, told in (("run", "a", None), ("run", "b", True), ("b", "c", None), ("b", "d", False)):
        regrade(tmp_path / before, tmp_path / after, grading=GradingConfig(round_to_reference=told))
        (found,) = read_records(tmp_path / after)[1]
        verdicts.append((found.correct, found.rule))
        assert read_manifest(tmp_path / after).config["round_to_reference"] == found.correct
    assert verdicts == [(False, ""), (True, "rounded reference"), (True, "rounded reference"), (False, "")]
