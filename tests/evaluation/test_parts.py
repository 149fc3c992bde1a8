import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import changed, sweep_config
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.evaluation.config import deciding, writer_of
from elastic_reasoning.evaluation.parts import SweepPart, parts_by_writer
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.coverage import lacking, num_by_pair, num_whole
from elastic_reasoning.records.log import read_records
from make_records import make_manifest
from random_words import CONFIG, load_engine


@given(st.integers(0, 50), st.integers(1, 12))
def test_parts_are_all_problems_each_once_and_nearly_equal(num_problems: int, num_parts: int) -> None:
    parts = [part.of(range(num_problems)) for part in SweepPart(num_parts, 1).all()]
    assert sorted(number for part in parts for number in part) == [*range(num_problems)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12))
def test_a_larger_limit_leaves_each_problem_in_its_part(limit: int, more: int, num_parts: int) -> None:
    for part in SweepPart(num_parts, 1).all():
        assert part.of(range(limit + more))[: len(part.of(range(limit)))] == part.of(range(limit))


@given(st.integers(1, 10**6), st.data())
def test_a_part_is_known_by_its_text_and_by_its_writer(num_parts: int, data: st.DataObject) -> None:
    part = SweepPart(num_parts, data.draw(st.integers(1, num_parts)))
    assert SweepPart.parse(str(part)) == SweepPart.of_writer(part.writer) == part


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0/64", r"part 0/64: parts count from 1 to 64; for an array that counts from 0 give its number \+ 1"),
        ("65/64", "part 65/64: parts count from 1 to 64$"),
        ("1/0", "parts count from 1 to 0"),
        ("3", r"part '3': must be NUMBER/PARTS, as 3/64"),
        ("-1/4", "must be NUMBER/PARTS"),
        ("1/4/2", "must be NUMBER/PARTS"),
        ("one/4", "must be NUMBER/PARTS"),
    ],
)
def test_what_is_no_part_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SweepPart.parse(text)


def test_parts_are_told_by_their_writers_where_all_are_of_one_whole() -> None:
    assert parts_by_writer(["part-2-of-3", "part-1-of-3"]) == [SweepPart(3, 1), SweepPart(3, 2)]
    assert parts_by_writer(["part-2-of-3", "main"]) == []
    assert parts_by_writer(["part-2-of-3", "part-2-of-4"]) == []
    assert parts_by_writer([]) == []


def test_a_part_decides_nothing_and_names_its_writer() -> None:
    assert deciding(sweep_config(part="3/64")) == deciding(sweep_config())
    assert writer_of(sweep_config(part="3/64")) == "part-03-of-64"
    assert writer_of(sweep_config(part="3/64", writer="x")) == "x"
    assert writer_of(sweep_config()) == "main"


def test_parts_in_one_folder_make_the_records_of_one_sweep(tmp_path: Path) -> None:
    whole = changed(CONFIG, out=str(tmp_path / "whole"))
    sweep(whole, load_engine=load_engine)
    for number in (3, 1, 2):
        config = changed(whole, out=str(tmp_path / "parts"), part=f"{number}/3")
        first, again = sweep(config, load_engine=load_engine), sweep(config, load_engine=load_engine)
        assert first.num_written > 0 == again.num_written
        manifest, records = read_records(tmp_path / "parts")
        assert len(records) + sum(lacking(manifest, num_by_pair(records)).values()) == num_whole(manifest)
    assert not lacking(manifest, num_by_pair(records))
    wanted_manifest, wanted = read_records(tmp_path / "whole")
    assert (manifest.config, manifest.problems) == (wanted_manifest.config, wanted_manifest.problems)
    assert {r.key: r.solution for r in records} == {r.key: r.solution for r in wanted}
    names = [f"part-{number}-of-3.jsonl" for number in (1, 2, 3)]
    assert sorted(path.name for path in (tmp_path / "parts/records").iterdir()) == names


def test_a_part_without_problems_is_over_at_once(tmp_path: Path) -> None:
    notes: list[str] = []
    config = changed(CONFIG, out=str(tmp_path), part="900/1000")
    assert sweep(config, load_engine=load_engine, on_note=notes.append).num_records == 0
    assert any(note.startswith("part 900/1000: 0 of ") for note in notes)


BEGIN = """
import json, sys
from dataclasses import replace
from pathlib import Path
from elastic_reasoning.evaluation.growth import take_up
from elastic_reasoning.records.log import RecordsWriter
from elastic_reasoning.records.manifest import read_manifest
folder, number = Path(sys.argv[1]), int(sys.argv[2])
asked = read_manifest(Path(sys.argv[3]))
asked = replace(asked, config={**asked.config, "models": [f"model-{number}"], "samples": number})
print("ready", flush=True)
sys.stdin.readline()
with RecordsWriter(folder, f"part-{number}-of-6") as writer:
    take_up(folder, asked)
"""


def test_many_that_begin_at_once_leave_one_manifest_of_them_all(tmp_path: Path) -> None:
    """As the tasks of a job array do, into one folder."""
    from elastic_reasoning.records.manifest import read_manifest, write_manifest

    write_manifest(tmp_path / "asked", make_manifest())
    command = [sys.executable, "-c", BEGIN, str(tmp_path / "run")]
    processes = [
        subprocess.Popen(
            [*command, str(number), str(tmp_path / "asked")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(1, 7)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    manifest = read_manifest(tmp_path / "run")
    assert sorted(manifest.config["models"]) == [f"model-{number}" for number in range(1, 7)]
    assert manifest.config["samples"] == 6
    assert json.loads((tmp_path / "run/manifest.json").read_text())["version"] == manifest.version
