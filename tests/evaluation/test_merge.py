"""Folders joined as if one run had made them; what does not belong together is refused and leaves nothing."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.evaluation.merge import Merged, merge
from elastic_reasoning.records.joining import Joined
from elastic_reasoning.records.lines import RecordLine, read_line
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.manifest import Manifest, read_manifest, write_manifest
from elastic_reasoning.records.reading import files_of
from elastic_reasoning.records.record import Record
from make_records import make_manifest, make_records, old_lines

RECORDS = [
    replace(record, seconds=0.25 * number, logprobs=[[-0.5] * len(part["ids"]) for part in record.segments])
    for number, record in enumerate(make_records(num_problems=3, budgets=("8+20", "64+20"), models=("mini",)))
]
SETTINGS = list(dict.fromkeys(str(record.setting) for record in RECORDS))


def manifest(num_problems: int = 3, **changes: object) -> Manifest:
    made = make_manifest(num_problems)
    return replace(made, config={**made.config, "models": ["mini"], "settings": SETTINGS, "samples": 2, **changes})


def folder_of(path: Path, records: Sequence[Record], writer: str = "main", **changes: object) -> Path:
    with RecordsWriter(path, writer) as made:
        write_manifest(path, manifest(**changes))
        for record in records:
            made.write(record)
    return path


def whole(records: Sequence[Record]) -> list[tuple[Record, float, object]]:
    return [(record, record.seconds, record.logprobs) for record in sorted(records, key=lambda record: record.key)]


def traces(folder: Path) -> list[bytes]:
    return sorted(line for file in files_of(folder) if file.traces for line in file.traces.read_bytes().splitlines())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_no_gaps(folder: Path) -> None:
    """Each byte of the traces belongs to one line."""
    for file in files_of(folder):
        assert file.traces
        ends = [0]
        for line in file.path.read_bytes().splitlines():
            offset, size = read_line(line, RecordLine).trace
            assert offset == ends[-1]
            ends.append(offset + size)
        assert file.traces.stat().st_size == ends[-1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sets(st.integers(0, len(RECORDS) - 1)), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_any_parts_give_what_one_run_has(
    tmp_path_factory: pytest.TempPathFactory, parts: list[set[int]], rng: random.Random
) -> None:
    path = tmp_path_factory.mktemp("merge")
    folders = [
        folder_of(path / str(number), rng.sample([RECORDS[each] for each in sorted(part)], len(part)))
        for number, part in enumerate(parts)
    ]
    there = set().union(*parts)
    merged = merge(folders, path / "whole")
    assert merged.num_records == len(there)
    assert [num for _, num, _ in merged.added] == [len(part) for part in parts]
    assert sum(num for _, _, num in merged.added) == len(there)
    assert sum(merged.lacking.values()) == len(RECORDS) - len(there)
    found = list(read_records(path / "whole")[1])
    assert whole(found) == whole([RECORDS[each] for each in there])
    assert read_manifest(path / "whole") == manifest()
    check_no_gaps(path / "whole")
    before = files(path / "whole")
    assert not any(num for _, _, num in merge(folders, path / "whole").added)
    assert files(path / "whole") == before


def test_traces_stay_byte_for_byte_and_lines_but_for_where_the_trace_is(tmp_path: Path) -> None:
    one, other = folder_of(tmp_path / "one", RECORDS[::2]), folder_of(tmp_path / "other", RECORDS[1::2])
    lines, beside = other / "records/main.jsonl", other / "traces/main.jsonl"
    lines.write_bytes(
        lines.read_bytes().replace(b'"version":2}', b'"version":2,"of_a_later_version":[1.50,"\\ud800"]}')
    )
    merge([one, other], tmp_path / "whole")
    assert traces(tmp_path / "whole") == sorted(traces(one) + traces(other))
    added = (tmp_path / "whole/records/main.jsonl").read_bytes().splitlines()[len(RECORDS[::2]) :]
    assert all(line.endswith(b'"version":2,"of_a_later_version":[1.5,"\\ud800"]}') for line in added)
    assert beside.read_bytes() in (tmp_path / "whole/traces/main.jsonl").read_bytes()


def test_a_folder_takes_more_later_and_a_sweep_goes_on_in_it(tmp_path: Path) -> None:
    merge([folder_of(tmp_path / "a", RECORDS[:5])], tmp_path / "whole")
    with RecordsWriter(tmp_path / "whole", "node-2") as writer:
        writer.write(RECORDS[5])
    merged = merge([folder_of(tmp_path / "b", RECORDS[3:9]), tmp_path / "a"], tmp_path / "whole")
    assert (merged.num_records, [num for _, _, num in merged.added]) == (9, [3, 0])
    with RecordsWriter(tmp_path / "whole") as writer:
        assert len(writer.done) == 9
        for record in RECORDS:
            writer.write(record)
    assert whole(list(read_records(tmp_path / "whole")[1])) == whole(RECORDS)


def test_a_folder_alone_is_nothing_to_join(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="is the only folder"):
        merge([folder_of(tmp_path / "a", RECORDS)], tmp_path / "a")


def test_into_one_of_them(tmp_path: Path) -> None:
    a, b = folder_of(tmp_path / "a", RECORDS[:5]), folder_of(tmp_path / "b", RECORDS[4:])
    merge([a, b], a)
    assert whole(list(read_records(a)[1])) == whole(RECORDS)


def test_runs_that_grew_apart_are_what_they_are_together(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", RECORDS[:5], num_problems=2, samples=4)
    theirs = [replace(record, model="mini-e1") for record in RECORDS]
    b = folder_of(tmp_path / "b", theirs, models=["mini-e1"], settings=["mini-e1/elastic/8+20"])
    merge([a, b], tmp_path / "whole")
    found = read_manifest(tmp_path / "whole")
    assert found.config["models"] == ["mini", "mini-e1"]
    assert found.config["samples"] == 4
    assert found.config["settings"] == [*SETTINGS, "mini-e1/elastic/8+20"]
    assert len(found.problems) == 3
    assert found.grown[0]["added"]["models"] == ["mini-e1"]
    assert len(read_records(tmp_path / "whole")[1]) == 5 + len(RECORDS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.6}, r"b does not belong to .*a: it was made with --temperature 0.6, not 1.0"),
        ({"models_digest": {"mini": "other"}}, "made with other weights of model mini"),
        ({"options": {"s1": {"answer_tokens": 9}}}, "--options.answer_tokens 9 for strategy s1, not 20"),
    ],
)
def test_what_differs_in_what_decides_is_refused_and_leaves_nothing(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    common: dict[str, object] = {"models_digest": {"mini": "one"}, "options": {"s1": {"answer_tokens": 20}}}
    folders = [
        folder_of(tmp_path / "a", RECORDS[:3], **common),
        folder_of(tmp_path / "b", RECORDS[3:], **{**common, **changes}),
    ]
    with pytest.raises(RecordsError, match=message):
        merge(folders, tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_other_tasks_and_problems_are_refused(tmp_path: Path) -> None:
    a, b = folder_of(tmp_path / "a", RECORDS[:3]), folder_of(tmp_path / "b", RECORDS[3:])
    write_manifest(b, replace(read_manifest(b), task="math500"))
    with pytest.raises(RecordsError, match="it was made with --task math500, not arithmetic"):
        merge([a, b], tmp_path / "whole")
    other = manifest()
    other.problems[1]["answer"] = "12"
    write_manifest(b, other)
    with pytest.raises(RecordsError, match="answer of problem 2 is 12, not "):
        merge([a, b], tmp_path / "whole")


def test_different_records_of_one_key_are_refused_or_the_first_is_taken(tmp_path: Path) -> None:
    others = [replace(record, solution="another", num_reused_tokens=0) for record in RECORDS[:2]]
    a, b = folder_of(tmp_path / "a", RECORDS[:2]), folder_of(tmp_path / "b", [*others, RECORDS[2]])
    with pytest.raises(RecordsError, match=r"mini/\S+, problem chain-0000, sample 0: .*another solution;.*--prefer"):
        merge([a, b], tmp_path / "whole")
    assert not (tmp_path / "whole").exists()
    merge([a, b], tmp_path / "ab", prefer_first=True)
    merge([b, a], tmp_path / "ba", prefer_first=True)
    assert whole(list(read_records(tmp_path / "ab")[1])) == whole(RECORDS[:3])
    assert whole(list(read_records(tmp_path / "ba")[1])) == whole([*others, RECORDS[2]])


def test_how_much_was_reused_makes_no_other_record(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", RECORDS)
    b = folder_of(tmp_path / "b", [replace(record, num_reused_tokens=1, seconds=9.0) for record in RECORDS])
    merge([a, b], tmp_path / "whole")
    assert whole(list(read_records(tmp_path / "whole")[1])) == whole(RECORDS)


def test_what_several_writers_of_a_folder_made_twice_counts_once(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", RECORDS[:4], "one")
    twice = folder_of(tmp_path / "b", [replace(record, solution="another") for record in RECORDS[:4]], "two")
    (twice / "records/two.jsonl").rename(a / "records/two.jsonl")
    (twice / "traces/two.jsonl").rename(a / "traces/two.jsonl")
    merge([a], tmp_path / "whole")
    assert whole(list(read_records(tmp_path / "whole")[1])) == whole(list(read_records(a)[1]))
    check_no_gaps(tmp_path / "whole")


def test_the_same_hash_of_two_keys_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elastic_reasoning.records.joining.hash", lambda key: 1, raising=False)
    joined = Joined([tmp_path / "none", folder_of(tmp_path / "a", RECORDS[:3])])
    joined.check()
    assert joined.num_new == [0, 3]


def test_torn_lines_are_left_out(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", RECORDS)
    lines = a / "records/main.jsonl"
    lines.write_bytes(lines.read_bytes()[:-9])
    beside = a / "traces/main.jsonl"
    beside.write_bytes(beside.read_bytes()[:-1200])
    merged = merge([a], tmp_path / "whole")
    found = list(read_records(tmp_path / "whole")[1])
    assert 0 < merged.num_records == len(found) < len(RECORDS)
    assert sum(merged.lacking.values()) == len(RECORDS) - len(found)


def test_a_folder_of_before_there_were_writers(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a", manifest())
    (tmp_path / "a/records.jsonl").write_text(old_lines(RECORDS))
    merge([tmp_path / "a"], tmp_path / "whole")
    found = list(read_records(tmp_path / "whole")[1])
    assert [(record, record.seconds) for record in found] == [(record, record.seconds) for record in RECORDS]


def test_a_damaged_trace_is_named(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", [replace(RECORDS[0], sample=sample) for sample in range(400)])
    beside = a / "traces/main.jsonl"
    beside.write_bytes(b"x" * 10 + beside.read_bytes()[10:])
    with pytest.raises(RecordsError, match=r"traces/main.jsonl, at byte 0: not a trace"):
        merge([a], tmp_path / "whole")


def test_a_sweep_that_writes_there_is_in_the_way(tmp_path: Path) -> None:
    a, b = folder_of(tmp_path / "a", RECORDS[:4]), folder_of(tmp_path / "b", RECORDS[4:])
    with RecordsWriter(b):
        with pytest.raises(RecordsError, match="another sweep is writing to"):
            merge([a], b)
        merge([b], a)  # it may be read
        merge([a], b, writer="joined")
    assert whole(list(read_records(b)[1])) == whole(RECORDS)


MERGE = """
import sys
from pathlib import Path
from elastic_reasoning.evaluation.merge import merge
*folders, out = map(Path, sys.argv[1:])
merge(folders, out, on_written=lambda num: (print(num, flush=True), sys.stdin.readline()))
"""


def merging(folders: Sequence[Path], out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", MERGE, *map(str, folders), str(out)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_merge_that_is_killed_goes_on(tmp_path: Path) -> None:
    many = [replace(record, sample=sample) for record in RECORDS[:4:2] for sample in range(600)]
    folders = [folder_of(tmp_path / "a", many[::2]), folder_of(tmp_path / "b", many[1::2])]
    for _ in range(3):
        with merging(folders, tmp_path / "whole") as process:
            assert process.stdout
            process.stdout.readline()  # some are written, and it waits
            os.kill(process.pid, signal.SIGKILL)
        there = list(read_records(tmp_path / "whole")[1])
        assert len({record.key for record in there}) == len(there)
    merged: Merged = merge(folders, tmp_path / "whole")
    assert 0 < sum(num for _, _, num in merged.added) < len(many)
    assert whole(list(read_records(tmp_path / "whole")[1])) == whole(many)
    check_no_gaps(tmp_path / "whole")
