"""A folder that was written before records had writers: one file of whole records. It stays readable, and goes on.

`expected_summary.json` and `expected_page.json` are what the report of that time made of it.
"""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.analysis.compare import compare_runs
from elastic_reasoning.core.request import Options
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.regrade import regrade
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.report.report import write_report
from make_records import make_manifest, make_records, old_lines, write_folder

OLD = Path(__file__).parent / "before_writers"
ASKED = SweepConfig(
    models=("mini", "mini-e1"),
    strategies=("elastic", "s1", "vanilla", "l1-exact"),
    budgets=("8+20", "24+20"),
    options=Options(answer_tokens=4),
    limit=4,
    samples=2,
    engine=EngineConfig(device="cpu", max_rows=16),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old").mkdir()
    for name in ("records.jsonl", "manifest.json"):
        shutil.copy(OLD / name, tmp_path / "old")
    return tmp_path / "old"


def page_data(page: Path) -> Any:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def of_that_time(now: Any, then: Any) -> Any:
    """What is said now, without the names that nothing was said of then."""
    if isinstance(then, dict):
        return {name: of_that_time(now[name], then[name]) for name in then if name in now}
    if isinstance(then, list) and len(now) == len(then):
        return [of_that_time(*each) for each in zip(now, then, strict=True)]
    return now


def test_its_tables_and_its_page_say_what_they_said(folder: Path, tmp_path: Path) -> None:
    paths = write_report(folder, tmp_path / "report", trained_at="24+20")
    summary, told = (json.loads(path.read_text()) for path in (paths["summary"], OLD / "expected_summary.json"))
    assert of_that_time(summary, told) == told
    page, expected = page_data(paths["page"]), json.loads((OLD / "expected_page.json").read_text())
    del page["measures"], expected["measures"]  # words
    for said in (page, expected):
        names = said.pop("trace")
        for problem in said["problems"]:
            problem["traces"] = [dict(zip(names, trace, strict=True)) for trace in problem["traces"]]
    assert of_that_time(page, expected) == expected


def test_it_goes_on_and_its_file_stays_as_it_is(folder: Path) -> None:
    before = (folder / "records.jsonl").read_bytes()
    assert sweep(replace(ASKED, out=str(folder))).num_written == 0
    result = sweep(replace(ASKED, samples=3, out=str(folder)))
    assert (result.num_records, result.num_written) == (192, 64)
    assert (folder / "records.jsonl").read_bytes() == before
    records = list(read_records(folder)[1])
    assert len({record.key for record in records}) == len(records) == 192
    at_once = {record.key: record for record in made_at_once(folder.with_name("at once"))}
    assert all(replace(r, num_reused_tokens=0) == replace(at_once[r.key], num_reused_tokens=0) for r in records)


def made_at_once(folder: Path) -> list[Any]:
    sweep(replace(ASKED, samples=3, out=str(folder)))
    return list(read_records(folder)[1])


def test_a_torn_last_line_of_it_is_made_again(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    assert sweep(replace(ASKED, out=str(folder))).num_written == 1
    assert len(list(read_records(folder)[1])) == 128


def test_it_is_graded_again(folder: Path, tmp_path: Path) -> None:
    result = regrade(folder, tmp_path / "again")
    assert (result.num_graded, result.changes.total()) == (128, 0)
    before, after = ({record.key: record for record in read_records(each)[1]} for each in (folder, tmp_path / "again"))
    assert before == after
    pairs = compare_runs(read_records(folder)[1], read_records(tmp_path / "again")[1])
    assert len(pairs) == 16
    assert all(pair.difference == 0 for pair in pairs)


def test_both_forms_of_the_same_records_make_the_same_report(tmp_path: Path) -> None:
    records = make_records(num_problems=12)
    write_folder(tmp_path / "new", records)
    write_folder(tmp_path / "old", [])
    shutil.rmtree(tmp_path / "old" / "records")
    (tmp_path / "old" / "records.jsonl").write_text(old_lines(records))
    new, old = (write_report(tmp_path / name, tmp_path / f"{name}-report") for name in ("new", "old"))
    for name in new:
        assert new[name].read_bytes() == old[name].read_bytes()
    assert asdict(read_records(tmp_path / "old")[0]) == asdict(make_manifest())
    with RecordsWriter(tmp_path / "old") as writer:
        assert writer.done == {record.key for record in records}
