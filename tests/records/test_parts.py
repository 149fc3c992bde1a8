from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.segment import Finish, Phase, Probe, Segment
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.records.appending import AppendedFiles
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.joining import Joined
from elastic_reasoning.records.lines import RecordLine, read_line, record_line, trace_line, whole_record
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.parts import joined_text
from elastic_reasoning.records.record import Record
from make_asides import TEMPLATE, family, probed
from make_records import make_records, write_folder


def of(trace: Trace) -> Record:
    return Record.of(trace, "mini", "p-1", Grade(True, "4"))


def read_back(record: Record) -> Record:
    return whole_record(read_line(record_line(record, 0, 9), RecordLine), trace_line(record))


def test_probes_are_kept_with_their_place_and_texts() -> None:
    trace = probed()
    record = of(trace)
    assert [(each.position, each.asked, each.finish) for each in record.probes] == [
        (2, "answer", "length"),
        (4, "answer", "length"),
    ]
    assert [tuple(each.ids) for each in record.probes] == [each.segment.ids for each in trace.probes]
    assert [each.answered for each in record.probes] == [TEMPLATE.decode(each.segment.ids) for each in trace.probes]
    assert record.num_probe_tokens == trace.num_probe_tokens == 4
    assert record.num_spent_tokens == trace.num_spent_tokens == record.num_sampled_tokens + 4
    assert (record.num_branch_tokens, record.branches) == (0, [])


def test_branches_say_how_each_ended_and_which_was_chosen() -> None:
    trace = family()
    record = of(trace)
    assert [(each.is_chosen, each.finish, each.budget, each.votes_for, each.solution) for each in record.branches] == [
        (False, "stop", "6+5", "", ""),
        (True, "eos", "6+5", "4", "answer 4"),
        (False, "eos", "3+5", "4", "4 4 four"),
    ]
    chosen = record.branches[1]
    assert (chosen.segments, chosen.probes, chosen.logprobs) == (record.segments, record.probes, record.logprobs)
    assert record.num_branch_tokens == 1 + record.branches[2].num_spent_tokens
    assert record.num_spent_tokens == trace.num_spent_tokens == sum(each.num_spent_tokens for each in record.branches)


def test_what_is_chosen_counts_its_probes_though_the_trace_does_not_say_them_again() -> None:
    trace = replace(family(), probes=())
    assert of(trace) == of(family())
    assert of(trace).num_spent_tokens == trace.num_spent_tokens


def test_of_equal_branches_one_is_chosen_and_of_a_failed_request_none() -> None:
    trace = probed()
    twice = replace(trace, branches=(trace, trace))
    assert [branch.is_chosen for branch in of(twice).branches] == [True, False]
    assert of(twice).num_spent_tokens == twice.num_spent_tokens == 2 * trace.num_spent_tokens
    failed = replace(trace, segments=(), probes=(), error="lost", branches=(replace(trace, segments=(), error="lost"),))
    (branch,) = of(failed).branches
    assert (branch.is_chosen, branch.error, branch.solution) == (False, "lost", "")


@pytest.mark.parametrize("trace", [probed(), family()], ids=["probes", "branches"])
def test_what_is_written_is_read(trace: Trace) -> None:
    record = of(trace)
    again = read_back(record)
    assert again == record
    assert again.logprobs == record.logprobs
    assert [each.logprobs for each in again.probes] == [each.logprobs for each in record.probes]
    assert [each.logprobs for each in again.branches] == [each.logprobs for each in record.branches]
    assert trace_line(again) == trace_line(record)


def test_log_probabilities_tell_no_two_apart() -> None:
    record = of(family())
    probes = [replace(probe, logprobs=None) for probe in record.probes]
    branches = [replace(branch, logprobs=[]) for branch in record.branches]
    assert replace(record, probes=probes, branches=branches) == record
    assert replace(record, probes=record.probes[1:]) != record


def test_records_without_any_are_written_as_before() -> None:
    record = make_records(num_problems=1, num_samples=1)[0]
    assert b"probe" not in trace_line(record)
    assert b"branch" not in trace_line(record)
    line = record_line(record, 0, 9)
    before = line.replace(b'"num_probe_tokens":0,"num_branch_tokens":0,', b"")
    assert before != line
    assert whole_record(read_line(before, RecordLine), trace_line(record)) == record


def test_columns_know_what_was_spent(tmp_path: Path) -> None:
    records = [replace(of(trace), problem=f"p-{n}") for n, trace in enumerate((probed(), family()))]
    plain = make_records(num_problems=1, num_samples=1)[0]
    write_folder(tmp_path, [*records, plain])
    for columns in (Records.of([*records, plain]), read_records(tmp_path)[1]):
        for name in ("num_probe_tokens", "num_branch_tokens", "num_sampled_tokens", "num_spent_tokens"):
            assert columns[name].tolist() == [getattr(record, name) for record in [*records, plain]]
        assert list(columns) == [*records, plain]


def test_joined_records_keep_them(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", [of(family())])
    write_folder(tmp_path / "other", [replace(of(family()), sample=1), of(family())])
    joined = Joined([tmp_path / "one", tmp_path / "other"])
    joined.check()
    assert joined.num_new == [1, 1]
    with AppendedFiles(tmp_path / "one") as files:
        joined.write(files)
    assert list(read_records(tmp_path / "one")[1]) == [of(family()), replace(of(family()), sample=1)]
    traces = [(tmp_path / name / "traces/main.jsonl").read_bytes().splitlines() for name in ("one", "other")]
    assert traces[0][1] == traces[1][0]


def test_a_record_is_replayed_to_the_trace_that_it_is_of() -> None:
    trace = probed()
    record = read_back(of(trace))
    ids = [token for part in record.segments for token in part["ids"]]
    mask = [part["sampled"] for part in record.segments for _ in part["ids"]]
    probes = [
        Probe(
            each.position,
            tuple(each.forced),
            Segment(Phase.PROBE, tuple(each.ids), True, tuple(each.logprobs or ()), Finish(each.finish or "")),
        )
        for each in record.probes
    ]
    again = replay(trace.request, ids, TEMPLATE, sampled_mask=mask, probes=probes)
    assert of(replace(again, num_reused=trace.num_reused)) == record
    assert again.probes == tuple(
        replace(each, segment=replace(each.segment, logprobs=tuple(round(p, 5) for p in each.segment.logprobs or ())))
        for each in trace.probes
    )


def test_what_a_pause_divides_reads_as_one_text() -> None:
    record = of(probed())
    assert [part["text"] for part in record.segments[:3]] == ["two and", " two is", " four and"]
    assert record.text_of(Phase.THINKING) == "two and two is four and"
    parts = [
        record.segments[0],
        {**record.segments[1], "sampled": False, "text": "wait", "finish": None},
        record.segments[2],
    ]
    assert joined_text(parts) == "two and wait  four and"
    assert joined_text(parts, forced=False) == "two and  four and"
