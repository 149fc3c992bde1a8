"""Several writers of one folder at once, killed at random: nothing is lost, nothing is doubled."""

import json
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.evaluation.growth import take_up
from elastic_reasoning.records.appending import SYNC_EVERY
from elastic_reasoning.records.lines import RecordLine, read_line
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.manifest import read_manifest
from elastic_reasoning.records.record import Key, Record
from make_records import make_manifest, make_records, write_folder

RECORDS = make_records(num_problems=3, num_samples=1, budgets=("8+20", "64+20"))
NUM_SAMPLES = 400

WRITE = """
import sys
from dataclasses import replace
from pathlib import Path
from elastic_reasoning.records.log import RecordsWriter, read_records
folder, name, order = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
record = next(iter(read_records(folder)[1]))
with RecordsWriter(folder, name) as writer:
    for sample in range(1, {num})[::order]:
        writer.write(replace(record, sample=sample))
        print(sample, flush=True)
""".replace("{num}", str(NUM_SAMPLES))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "run", RECORDS)


def writing(folder: Path, name: str, order: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITE, str(folder), name, str(order)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed_after(process: "subprocess.Popen[str]", num_lines: int) -> list[int]:
    """What it says that it wrote until then; all of it where it ends before."""
    assert process.stdout
    said = [process.stdout.readline() for _ in range(num_lines)]
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return [int(line) for line in said if line.endswith("\n")]


@pytest.mark.parametrize("seed", range(3))
def test_two_writers_that_are_killed_at_random(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    said: set[int] = set()
    for _ in range(4):
        both = [writing(folder, "a", 1), writing(folder, "b", -1)]
        with ThreadPoolExecutor(2) as threads:
            kept = threads.map(killed_after, both, [rng.randrange(1, 100) for _ in both])
            said |= set().union(*kept)
        records = list(read_records(folder)[1])
        assert len({record.key for record in records}) == len(records)
        assert said <= {record.sample for record in records}
    for process in (writing(folder, "a", 1), writing(folder, "b", -1)):
        assert process.communicate()[0] is not None
    records = list(read_records(folder)[1])
    of_first = sorted(record.sample for record in records if record.key[:4] == RECORDS[0].key[:4])
    assert of_first == list(range(NUM_SAMPLES))
    assert all(replace(record, sample=0) == RECORDS[0] for record in records if record.key[:4] == RECORDS[0].key[:4])
    assert said <= set(of_first)
    for name in ("a", "b"):  # traces without gaps: each byte belongs to one line
        lines = [read_line(line, RecordLine) for line in (folder / f"records/{name}.jsonl").read_bytes().splitlines()]
        ends = [sum(line.trace) for line in lines]
        assert [line.trace[0] for line in lines] == [0, *ends[:-1]]
        assert (folder / f"traces/{name}.jsonl").stat().st_size == ends[-1]


def test_what_another_writer_has_is_done(folder: Path) -> None:
    with RecordsWriter(folder, "a") as a:
        a.write(replace(RECORDS[0], sample=5))
        with RecordsWriter(folder, "b") as b:
            assert b.done == {record.key for record in RECORDS} | {replace(RECORDS[0], sample=5).key}
            b.write(replace(RECORDS[0], sample=5))
            b.write(replace(RECORDS[0], sample=6))
    assert len(list(read_records(folder)[1])) == len(RECORDS) + 2


@pytest.mark.parametrize("name", ["", "../main", "a b", ".hidden", "é", "a" * 200])
def test_a_writer_has_a_name_that_can_be_a_file(folder: Path, name: str) -> None:
    with pytest.raises(RecordsError, match=r"writer .*: use letters"):
        RecordsWriter(folder, name)


@pytest.mark.parametrize("num_bytes", [1, 40, 2000])
def test_lines_whose_trace_was_lost_are_cut_and_made_again(folder: Path, num_bytes: int) -> None:
    lines, traces = folder / "records/main.jsonl", folder / "traces/main.jsonl"
    whole = lines.read_bytes(), traces.read_bytes()
    traces.write_bytes(whole[1][:-num_bytes])
    with RecordsWriter(folder) as writer:
        missing = [record for record in RECORDS if record.key not in writer.done]
        assert 1 <= len(missing) < len(RECORDS)
        assert writer.num_cut_bytes > 0
        for record in missing:
            writer.write(record)
    assert (lines.read_bytes(), traces.read_bytes()) == whole
    assert list(read_records(folder)[1]) == RECORDS


def test_zeros_in_place_of_a_trace_are_no_trace(folder: Path) -> None:
    traces = folder / "traces/main.jsonl"
    content = traces.read_bytes()
    traces.write_bytes(content[:-50] + b"\x00" * 50)
    with RecordsWriter(folder) as writer:
        assert len(writer.done) == len(RECORDS) - 1


def test_a_trace_without_its_line_is_cut(folder: Path) -> None:
    traces = folder / "traces/main.jsonl"
    whole = traces.read_bytes()
    traces.write_bytes(whole + whole[:77])
    with RecordsWriter(folder) as writer:
        assert writer.done == {record.key for record in RECORDS}
    assert traces.read_bytes() == whole


def test_more_lost_traces_than_a_loss_of_power_explains_are_an_error_and_nothing_is_cut(folder: Path) -> None:
    with RecordsWriter(folder) as writer:
        for sample in range(1, SYNC_EVERY + 1):
            writer.write(replace(RECORDS[0], sample=sample))
    lines, traces = folder / "records/main.jsonl", folder / "traces/main.jsonl"
    whole = lines.read_bytes()
    traces.write_bytes(b"")
    with pytest.raises(RecordsError, match=r"lacks the traces of .*restore it .*--writer"):
        RecordsWriter(folder)
    assert lines.read_bytes() == whole
    with RecordsWriter(folder, "other") as other:
        assert len(other.done) == whole.count(b"\n")


def keys(records: list[Record]) -> set[Key]:
    return {record.key for record in records}


def test_two_that_begin_at_once_leave_a_manifest_of_both(tmp_path: Path) -> None:
    asked = make_manifest()
    first = replace(asked, config={**asked.config, "models": ["one"]})
    second = replace(asked, config={**asked.config, "models": ["two"]})
    with RecordsWriter(tmp_path, "a"), RecordsWriter(tmp_path, "b"):
        take_up(tmp_path, first)
        take_up(tmp_path, second)
    assert read_manifest(tmp_path).config["models"] == ["one", "two"]


def test_a_line_says_its_schema(folder: Path) -> None:
    lines = (folder / "records/main.jsonl").read_text().splitlines()
    assert {json.loads(line)["version"] for line in lines} == {2}
    assert not {"segments", "solution", "logprobs"} & json.loads(lines[0]).keys()
