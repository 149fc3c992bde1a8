from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.trace import Finish, Segment, Trace
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.joining import Joined
from elastic_reasoning.records.lines import RecordLine, read_line, record_line, trace_line, whole_record
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Record
from make_records import make_records, write_folder

TEMPLATE = word_template("<think>", "</think>", "<eos>", words=["two", "and", "four", "is", "answer", "4"])
PROBED = Options(probe_every=2, probe_text="answer", probe_tokens=2, num_equal=9)


def probed(solution: str = "answer 4") -> Trace:
    engine = ScriptedEngine(scripted(TEMPLATE, thinking="two and two is four and", solution=solution), TEMPLATE)
    return ask(engine, "two and two", "6+5", strategy="dynasor", options=PROBED)


def family() -> Trace:
    """Three thinkings: one that was stopped, the one that was chosen, and one that lost the vote."""
    chosen, lost = probed(), replace(probed("4 4 four"), request=replace(probed().request, budget=Budget(3, 5)))
    thinking = chosen.segments[0]
    begun = Segment(thinking.phase, thinking.ids[:1], True, (thinking.logprobs or (0.0,))[:1], Finish.STOP)
    return replace(chosen, branches=(replace(chosen, segments=(begun,), probes=()), chosen, lost))


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
    assert [(each.is_chosen, each.finish, each.budget, each.solution) for each in record.branches] == [
        (False, "stop", "6+5", ""),
        (True, "eos", "6+5", "answer 4"),
        (False, "eos", "3+5", "4 4 four"),
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
