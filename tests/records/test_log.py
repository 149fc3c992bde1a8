import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.tally import Tally
from elastic_reasoning.records.lines import OldLine, RecordLine, read_line, record_line, trace_line, whole_record
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.manifest import Manifest, write_manifest
from elastic_reasoning.records.record import Record
from make_records import make_manifest, make_problems, make_records, old_lines, write_folder

RECORDS = make_records(num_problems=3, num_samples=1, budgets=("8+20", "64+20"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "run", RECORDS)


def lines(folder: Path) -> Path:
    return folder / "records/main.jsonl"


def read_back(record: Record) -> Record:
    return whole_record(read_line(record_line(record, 0, 9), RecordLine), trace_line(record))


def test_record_of_a_trace_holds_what_the_trace_says() -> None:
    template = word_template("<think>", "</think>", "<eos>", words=["two", "and", "answer", "4"])
    engine = ScriptedEngine(scripted(template, thinking="two and two and", solution="answer 4"), template)
    trace = ask(engine, "two and two", "3+5")
    record = Record.of(trace, "mini", "p-1", Grade(True, "4"))
    assert record.key == ("mini", "elastic", "3+5", "p-1", 0)
    assert (record.correct, record.answer, record.reason, record.error) == (True, "4", None, None)
    assert (record.num_thinking_tokens, record.num_solution_tokens, record.num_forced_tokens) == (3, 3, 1)
    assert (record.budget_hit, record.forced_close, record.solution_cut, record.escaped) == (True, True, False, False)
    assert [(part["phase"], part["text"], part["sampled"], part["finish"]) for part in record.segments] == [
        ("thinking", "two and two", True, "length"),
        ("closing", "</think>", False, None),
        ("solution", "answer 4 <eos>", True, "eos"),
    ]
    assert [token for part in record.segments for token in part["ids"]] == list(trace.ids)
    assert record.num_sampled_tokens == trace.num_sampled_tokens
    assert read_back(record) == record
    assert read_back(record).logprobs == record.logprobs
    rounded = [part and [round(each, 5) for each in part] for part in (s.logprobs for s in trace.segments)]
    assert record.logprobs == rounded


def test_the_rule_of_a_verdict_is_kept_and_records_without_one_are_read() -> None:
    template = word_template("<think>", "</think>", "<eos>", words=["two", "4"])
    engine = ScriptedEngine(scripted(template, "two", "4"), template)
    record = Record.of(
        ask(engine, "two", "1+1"), "mini", "p-1", Grade(True, "4", rule="same value", tallies=(Tally("kept", 1, 3),))
    )
    assert (record.rule, record.tallies) == ("same value", (Tally("kept", 1, 3),))
    assert read_back(record) == record
    old = {name: value for name, value in json.loads(old_lines([record])).items() if name not in ("rule", "tallies")}
    assert whole_record(read_line(json.dumps(old).encode(), OldLine)) == replace(record, rule="", tallies=())


def test_a_trace_with_an_error_is_not_graded() -> None:
    template = word_template("<think>", "</think>", "<eos>", words=["two"])
    engine = ScriptedEngine(scripted(template, "two", "two"), template, context=4)
    trace = ask(engine, "two two", "30+5")
    assert trace.error
    record = Record.of(trace, "mini", "p-1", None)
    assert record.error == trace.error
    assert record.correct is None
    assert Record.of(trace, "mini", "p-1", Grade(True, "4")) == record


def test_a_finished_trace_must_be_graded() -> None:
    template = word_template("<think>", "</think>", "<eos>", words=["two"])
    trace = ask(ScriptedEngine(scripted(template, "two", "two"), template), "two", "3+5")
    with pytest.raises(ValueError, match="must be graded"):
        Record.of(trace, "mini", "p-1", None)


def test_what_is_written_is_read(folder: Path) -> None:
    manifest, records = read_records(folder)
    assert list(records) == RECORDS
    assert manifest == make_manifest()


@pytest.mark.parametrize("text", ["line\nbreak", "\u2028", "数学", "\udc80", '"</script>', "\x00"])
def test_any_text_is_one_line_and_comes_back(tmp_path: Path, text: str) -> None:
    record = replace(RECORDS[0], answer=text)
    write_folder(tmp_path, [record])
    assert lines(tmp_path).read_bytes().count(b"\n") == 1
    assert list(read_records(tmp_path)[1]) == [record]


def test_keys_that_are_done_are_known_and_not_written_again(folder: Path) -> None:
    before = lines(folder).read_bytes()
    with RecordsWriter(folder) as writer:
        assert writer.done == {record.key for record in RECORDS}
        assert writer.num_cut_bytes == 0
        writer.write(RECORDS[0])
    assert lines(folder).read_bytes() == before


@pytest.mark.parametrize("torn", [b'{"model":"mi', b"\x00" * 100, b"\n", b'{"model":\n', b"\xff\xfe"])
def test_a_torn_last_line_is_left_out_and_cut_off(folder: Path, torn: bytes) -> None:
    whole = lines(folder).read_bytes()
    lines(folder).write_bytes(whole + torn)
    assert list(read_records(folder)[1]) == RECORDS
    with RecordsWriter(folder) as writer:
        assert writer.num_cut_bytes == len(torn)
    assert lines(folder).read_bytes() == whole


def test_a_last_line_without_its_newline_is_made_again(folder: Path) -> None:
    whole = lines(folder).read_bytes()
    lines(folder).write_bytes(whole[:-1])
    with RecordsWriter(folder) as writer:
        assert writer.num_cut_bytes > 0
        assert RECORDS[-1].key not in writer.done
        writer.write(RECORDS[-1])
    assert lines(folder).read_bytes() == whole


@pytest.mark.parametrize("damaged", [b'{"model":"mi', b"[1]", b'{"model":"mini"}'])
def test_damage_in_the_middle_is_an_error_that_names_the_line_and_loses_nothing(folder: Path, damaged: bytes) -> None:
    content = lines(folder).read_bytes().split(b"\n")
    content[3] = damaged
    lines(folder).write_bytes(b"\n".join(content))
    for read in (read_records, RecordsWriter):
        with pytest.raises(RecordsError, match=r"main\.jsonl, line 4: not .*delete that line") as caught:
            read(folder)
        assert "\n" not in str(caught.value)
    assert lines(folder).read_bytes() == b"\n".join(content)
    lines(folder).write_bytes(b"\n".join(content[:3] + content[4:]))  # what the message says helps
    with RecordsWriter(folder) as writer:
        assert writer.done == {record.key for record in RECORDS} - {RECORDS[3].key}


def test_of_two_records_with_one_key_the_first_counts(folder: Path) -> None:
    other = replace(RECORDS[0], answer="another")
    write_folder(folder.with_name("other"), [other])
    for name in ("records", "traces"):
        shutil.copy(folder.with_name("other") / name / "main.jsonl", folder / name / "other.jsonl")
    assert list(read_records(folder)[1]) == RECORDS


def test_two_sweeps_cannot_write_one_folder(folder: Path) -> None:
    with RecordsWriter(folder), pytest.raises(RecordsError, match=r"another sweep is writing to .*another folder"):
        RecordsWriter(folder)
    with RecordsWriter(folder) as writer:
        assert len(writer.done) == len(RECORDS)


def test_reading_goes_on_while_somebody_writes(folder: Path) -> None:
    with RecordsWriter(folder) as writer:
        writer.write(replace(RECORDS[0], sample=7))
        assert len(read_records(folder)[1]) == len(RECORDS) + 1


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RecordsError, match="cannot write"):
        RecordsWriter(tmp_path / "file" / "run")
    with pytest.raises(RecordsError, match="cannot write"):
        write_manifest(tmp_path / "file" / "run", make_manifest())


WITH_A_SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from dataclasses import replace
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.log import RecordsWriter, read_records
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
record = next(iter(read_records(folder)[1]))
writer = RecordsWriter(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (writer.path.stat().st_size + 2000, resource.RLIM_INFINITY))
try:
    for sample in range(100, 10000):
        writer.write(replace(record, sample=sample))
except RecordsError as error:
    print(sample - 100, error)
"""


def test_a_full_disk_is_an_error_and_leaves_whole_lines(folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITH_A_SMALL_DISK, str(folder)], capture_output=True, text=True, check=True
    )
    num_written, message = ran.stdout.split(" ", 1)
    assert "cannot write" in message
    assert int(num_written) > 0
    assert len(read_records(folder)[1]) == len(RECORDS) + int(num_written)
    with RecordsWriter(folder) as writer:
        assert writer.num_cut_bytes == 0


WRITE_FOR_EVER = """
import itertools, sys
from dataclasses import replace
from pathlib import Path
from elastic_reasoning.records.log import RecordsWriter, read_records
folder = Path(sys.argv[1])
record = next(iter(read_records(folder)[1]))
writer = RecordsWriter(folder)
for sample in itertools.count(1):
    writer.write(replace(record, sample=sample))
    print(sample, flush=True)
"""


def test_nothing_that_was_written_is_lost_when_the_writer_is_killed(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        said = [int(process.stdout.readline()) for _ in range(300)]
        os.kill(process.pid, signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().splitlines() if line]
    with RecordsWriter(folder) as writer:  # the lock died with the process
        assert {(*RECORDS[0].key[:4], sample) for sample in said} <= writer.done
        writer.write(replace(RECORDS[0], sample=10**9))
    samples = [record.sample for record in read_records(folder)[1] if record.key[:4] == RECORDS[0].key[:4]]
    assert samples == [*range(len(samples) - 1), 10**9]


def test_manifest_of_a_new_run_says_what_it_was_made_with() -> None:
    manifest = Manifest.new("arithmetic", "test", 3, {"budgets": ("8+20",)}, make_problems(2))
    assert manifest.config == {"budgets": ["8+20"]}
    assert manifest.versions.keys() == {"python", "elastic-reasoning", "torch", "transformers"}
    assert manifest.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert [problem["id"] for problem in manifest.problems] == ["chain-0000", "chain-0001"]
    assert manifest.problems[0]["question"].endswith("=")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ("[]", "format None, this version reads 3"),
        ('{"version": 99}', "format 99, this version reads 3"),
        ('{"version": 3}', "keys missing or unknown: commit, config"),
    ],
)
def test_a_damaged_manifest_is_an_error(folder: Path, content: str, message: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(RecordsError, match=message):
        read_records(folder)


def test_a_folder_without_a_manifest_is_an_error(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(RecordsError, match=r"has no manifest\.json: pass a folder"):
        read_records(folder)


def test_a_folder_without_records_is_an_error(folder: Path) -> None:
    lines(folder).unlink()
    with pytest.raises(RecordsError, match="cannot read"):
        read_records(folder)


def test_manifest_is_plain_json(folder: Path) -> None:
    assert json.loads((folder / "manifest.json").read_text())["config"]["temperature"] == 1.0
    assert [path.name for path in sorted(folder.iterdir())] == ["manifest.json", "records", "traces"]
