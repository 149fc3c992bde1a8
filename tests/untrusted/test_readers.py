"""Every reader of files that others wrote gives what it promises, or one error of one line."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contest_tables import contest_table
from elastic_reasoning.analysis.codeforces.contests import read_contests
from elastic_reasoning.analysis.effort import read_efforts
from elastic_reasoning.cli.live import read_history
from elastic_reasoning.core.errors import ElasticError, TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import read_manifest
from elastic_reasoning.serving.config import make_config, read_config
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.rows import read_file
from elastic_reasoning.training.checkpoints import repair
from elastic_reasoning.training.export import read_run
from elastic_reasoning.training.folder import find_run
from elastic_reasoning.training.provenance import read_trained_for
from finished_runs import write_run
from make_records import make_records, write_folder

ROWS = [
    {"problem": "What is 2 + 3?", "answer": "5"},
    {"problem": "Which is prime? (A) 4 (B) 5", "answer": "B", "grader": "choice", "id": 7},
    {"problem": "Who wrote Faust?", "answer": ["Goethe", "J. W. Goethe"], "grader": "text", "split": "train"},
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**400, 10**401)
    | st.floats()
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def lines(rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def load_rows(folder: Path) -> object:
    with closing(load_task(TaskConfig(str(folder / "rows.jsonl")), GradingConfig(grading_workers=1))) as task:
        return task.problems("test")


def records(folder: Path) -> None:
    write_folder(folder, make_records(3, 1, ("8+20",)))


EFFORT = {"budget": "8+20"}
BUDGETS = {"version": 1, "models": {"mini": {"strategy": "elastic", "efforts": {"low": EFFORT, "max": EFFORT}}}}
GATEWAY = {"models": {"mini": {"budget": "8+20", "ceiling": "64+20", "reserve": 4, "urls": ["http://h/v1"]}}, "port": 0}

READERS: dict[str, tuple[Callable[[Path], Any], str, Callable[[Path], object]]] = {
    "task": (lambda folder: (folder / "rows.jsonl").write_text(lines(ROWS)), "rows.jsonl", load_rows),
    "contests": (
        lambda folder: (folder / "7.json").write_text(json.dumps(contest_table(7, [500], [(500, 0)], [1900]))),
        "7.json",
        read_contests,
    ),
    "records": (records, "records/main.jsonl", read_records),
    "manifest": (records, "manifest.json", read_manifest),
    "run": (lambda folder: write_run(folder / "run"), "run/config.json", lambda folder: read_run(folder / "run")),
    "metrics": (lambda folder: write_run(folder / "run"), "run/metrics.jsonl", lambda folder: read_run(folder / "run")),
    "live": (
        lambda folder: write_run(folder / "run"),
        "run/metrics.jsonl",
        lambda folder: read_history(folder / "run" / "metrics.jsonl"),
    ),
    "trained for": (
        lambda folder: write_run(folder / "run"),
        "run/model/elastic.json",
        lambda folder: read_trained_for(folder / "run" / "model"),
    ),
    "selection": (
        lambda folder: write_run(folder / "run"),
        "run/model/selection.json",
        lambda folder: repair(folder / "run"),
    ),
    "budgets": (
        lambda folder: (folder / "budgets.yaml").write_text(json.dumps(BUDGETS)),
        "budgets.yaml",
        lambda folder: read_efforts(folder / "budgets.yaml"),
    ),
    "gateway": (
        lambda folder: (folder / "gateway.yaml").write_text(json.dumps(GATEWAY)),
        "gateway.yaml",
        lambda folder: make_config(read_config(folder / "gateway.yaml")),
    ),
    "training": (
        lambda folder: write_run(folder / "run"),
        "run/config.json",
        lambda folder: find_run(folder / "run", {"steps": 20}),
    ),
}


def check(read: Callable[[Path], object], folder: Path) -> None:
    try:
        read(folder)
    except ElasticError as error:
        message = str(error)
    else:
        return
    assert len(message.splitlines()) == 1
    assert len(message) < 1500


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str, Callable[[Path], object]]]:
    make, name, read = READERS[request.param]
    make(tmp_path)
    content = (tmp_path / name).read_text()
    read(tmp_path)
    yield tmp_path, name, read
    (tmp_path / name).write_text(content)


@given(data=st.data())
@IN_A_FOLDER
def test_a_value_put_wrong_anywhere(reader: Any, data: st.DataObject) -> None:
    folder, name, read = reader
    path = folder / name
    before = path.read_bytes()
    is_lines = name.endswith("jsonl")
    whole = [json.loads(line) for line in before.splitlines()] if is_lines else json.loads(before)
    inner, key = whole, None
    while True:
        keys = sorted(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = data.draw(st.sampled_from(keys))
        if not (inner[key] and isinstance(inner[key], dict | list) and data.draw(st.booleans())):
            break
        inner = inner[key]
    inner[key] = data.draw(ANYTHING)
    path.write_text(lines(whole) if is_lines else json.dumps(whole))
    try:
        check(read, folder)
    finally:
        path.write_bytes(before)


@given(content=st.binary(max_size=200), place=st.floats(0, 1))
@IN_A_FOLDER
def test_bytes_put_anywhere(reader: Any, content: bytes, place: float) -> None:
    folder, name, read = reader
    path = folder / name
    before = path.read_bytes()
    start = int(place * len(before))
    for damaged in (before[:start] + content + before[start:], before[:start], content):
        path.write_bytes(damaged)
        try:
            check(read, folder)
        finally:
            path.write_bytes(before)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"9" * 9999, b'{"a": ' * 50_000, b"\x00" * 99, b"\xff\xfe", b"null"]
)
def test_what_no_reader_expects(reader: Any, content: bytes) -> None:
    folder, name, read = reader
    (folder / name).write_bytes(content)
    check(read, folder)


def test_half_letters_and_marks_of_order_in_a_task_file_are_data(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"problem": "half \\ud83d", "answer": "\\udc80"}\n')
    assert [row for _, row in read_file(path)] == [{"problem": "half \ud83d", "answer": "\udc80"}]
    with closing(load_task(TaskConfig(str(path)), GradingConfig(grading_workers=1))) as task:
        (problem,) = task.problems("test")
        assert problem.messages[-1]["content"].startswith("half \ufffd")
        assert not task.grade(problem, r"\boxed{5}").correct


@pytest.mark.parametrize("ending", ["jsonl.gz", "parquet"])
def test_packed_rows_that_were_damaged(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    if ending == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist([{"problem": "1 + 1", "answer": "2"}] * 50), path)
    else:
        path.write_bytes(gzip.compress(lines(ROWS * 20).encode()))
    whole, draw = path.read_bytes(), random.Random(0)
    for _ in range(200):
        place = draw.randrange(len(whole))
        kind = draw.randrange(3)
        put = b"" if kind == 0 else bytes([draw.randrange(256)]) if kind == 1 else draw.randbytes(8)
        path.write_bytes(whole[:place] + put + (b"" if kind == 0 else whole[place + len(put) :]))
        with suppress(TaskError):
            check(lambda folder: list(read_file(path)), tmp_path)
