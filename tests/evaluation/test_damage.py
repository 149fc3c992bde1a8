"""Records and manifests that were damaged, or made to do harm: one line says what is wrong."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.core.errors import ElasticError, RecordsError
from elastic_reasoning.records.lines import RecordLine, read_line, record_line, trace_line, whole_record
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.manifest import read_manifest, write_manifest
from elastic_reasoning.records.record import Record
from make_records import make_manifest, make_records, write_folder

RECORDS = make_records(num_problems=2, num_samples=1, budgets=("8+20",))
LINE = json.loads(record_line(RECORDS[0], 0, 9))
TRACE = json.loads(trace_line(RECORDS[0]))
MANIFEST = json.loads(json.dumps({each.name: getattr(make_manifest(), each.name) for each in fields(make_manifest())}))
KEY = ("model", "strategy", "budget", "problem", "sample")
STRANGE: list[Any] = [None, True, -1, 1.5, 10**400, "x", "\ud800", [], [[]], {}, {"a": []}, float("nan"), float("inf")]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "run", RECORDS)


def allowed(name: str, value: Any) -> bool:
    """Whether a field of a record may have that value."""
    kind = type(LINE[name])
    if name in ("correct", "answer", "reason", "error"):
        return value is None or isinstance(value, bool if name == "correct" else str)
    if name == "seconds":
        return type(value) in (int, float) and 0 <= value < 1e15
    if name in ("trace", "thought"):
        return False
    if name == "version":
        return value == 2
    if name == "tallies":
        return value == []
    if kind is int:
        return type(value) is int and 0 <= value < 2**63
    return type(value) is kind and name != "budget"


@pytest.mark.parametrize("name", LINE)
def test_a_field_of_another_type_is_an_error_that_names_it(name: str, folder: Path) -> None:
    for value in STRANGE:
        line = json.dumps({**LINE, name: value}).encode()
        if allowed(name, value):
            read_line(line, RecordLine)
            continue
        with pytest.raises(RecordsError, match="not a record") as caught:
            read_line(line, RecordLine)
        assert "\n" not in str(caught.value)


def whole(line: dict[str, Any] = LINE, trace: dict[str, Any] = TRACE) -> Record:
    """A record as it is read from its two lines."""
    return whole_record(read_line(json.dumps(line).encode(), RecordLine), json.dumps(trace).encode())


def test_a_line_may_have_fields_that_are_not_known_yet_and_a_later_schema_is_an_error() -> None:
    assert whole({**LINE, "more": 1}, {**TRACE, "more": [2]}) == RECORDS[0]
    with pytest.raises(RecordsError, match=r"not a record .*version"):
        whole({**LINE, "version": 3})


def test_the_trace_of_another_record_is_an_error() -> None:
    with pytest.raises(RecordsError, match="not the trace of"):
        whole(trace={**TRACE, "key": [*TRACE["key"][:4], 77]})


@pytest.mark.parametrize("name", ["ids", "text", "phase", "sampled", "finish"])
def test_a_segment_of_another_kind_is_an_error_that_names_it(name: str) -> None:
    for value in (5.5, [[]], {"a": 1}):
        part = {**TRACE["segments"][0], name: value}
        with pytest.raises(RecordsError, match=rf"segments\[0\].{name}"):
            whole(trace={**TRACE, "segments": [part]})
    part = {key: value for key, value in TRACE["segments"][0].items() if key != name}
    with pytest.raises(RecordsError, match=rf"required field `{name}`"):
        whole(trace={**TRACE, "segments": [part]})


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"model": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\x00" * 50,
        b'{"model": "\xff"}',
        b"9" * 5000,
        b'"\\ud800"',
        json.dumps({name: value for name, value in LINE.items() if name != "model"}).encode(),
    ],
)
def test_a_damaged_line_in_the_middle_is_named_in_one_line(line: bytes, folder: Path) -> None:
    path = folder / "records/main.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, *lines[1:], b""]))
    for read in (read_records, RecordsWriter):
        with pytest.raises(RecordsError, match=r"main.jsonl, line 2: not .*; delete that line") as caught:
            read(folder)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 700


@given(st.sampled_from(list(LINE)), ANYTHING)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_can_be_counted(name: str, value: Any) -> None:
    try:
        record = whole({**LINE, name: value}, {**TRACE, "key": [{**LINE, name: value}[part] for part in KEY]})
        summarise([record])
    except ElasticError:
        return
    assert whole_record(read_line(record_line(record, 0, 9), RecordLine), trace_line(record)) == record


@pytest.mark.parametrize("name", MANIFEST)
def test_a_manifest_with_something_else_in_it_is_an_error(name: str, folder: Path) -> None:
    for value in (5.5, [[5]], {"models": 5}, True, "\ud800" if not isinstance(MANIFEST[name], str) else None):
        if value is None and name == "commit":
            continue
        (folder / "manifest.json").write_text(json.dumps({**MANIFEST, name: value}))
        with pytest.raises(RecordsError, match=r"manifest.json (is damaged|has format)") as caught:
            read_manifest(folder)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("models", "mini"), ("models", [5]), ("strategies", {}), ("budgets", None), ("settings", [["a"]])],
        *[("samples", -1), ("samples", "4"), ("models_digest", []), ("release", 5), ("since", ["x"])],
    ],
)
def test_what_is_looked_for_in_a_configuration_is_checked(name: str, value: Any, folder: Path) -> None:
    config = {**MANIFEST["config"], name: value}
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "config": config}))
    with pytest.raises(RecordsError, match=rf"is damaged .*{name}"):
        read_manifest(folder)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"\xff\xfe\x00", b"9" * 9999, b"", b"\x00", b'{"version": NaN}'])
def test_a_manifest_that_is_no_json_is_an_error(text: bytes, folder: Path) -> None:
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(RecordsError, match=r"is damaged|has format") as caught:
        read_manifest(folder)
    assert "\n" not in str(caught.value)


def test_a_lone_surrogate_in_a_question_is_data(tmp_path: Path) -> None:
    manifest = make_manifest()
    manifest.problems[0]["question"] = "half \ud83d"
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
