"""Folders of records in a store: fsspec's own, in memory. tests/real_storage has a server of Amazon's kind."""

import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from configs import changed
from elastic_reasoning.core.errors import MissingDependencyError, RecordsError, StorageError
from elastic_reasoning.evaluation.growth import take_up
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.record import Record
from elastic_reasoning.records.run_folder import RECORDS, SECONDS, RunFolder, working_path
from elastic_reasoning.records.storage import Store, fetched
from make_records import make_manifest, make_records
from random_words import CONFIG, load_engine

SOME = make_records(num_problems=2, num_samples=1, budgets=("8+20",))
MANY = [replace(SOME[0], sample=sample) for sample in range(600)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def url() -> Iterator[str]:
    place = f"memory://{uuid.uuid4().hex}/run"
    yield place
    files = fsspec.filesystem("memory")
    files.rm(place.rpartition("/")[0], recursive=True) if files.exists(place) else None


def content(url: str, name: str) -> bytes:
    found: bytes = fsspec.filesystem("memory").cat_file(f"{url}/{name}")
    return found


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def write(url: str, records: list[Record], writer: str = "main", clock: Clock | None = None) -> RunFolder:
    with RunFolder(url, writer, clock or Clock()) as run, RecordsWriter(run.path, writer) as log:
        take_up(run.path, make_manifest(), run.is_stored)
        assert run.publish()
        for record in records:
            log.write(record)
            run.written()
    return run


def test_a_sweep_into_a_store_is_the_sweep_into_a_folder(url: str, tmp_path: Path) -> None:
    sweep(changed(CONFIG, out=str(tmp_path / "run")), load_engine=load_engine)
    for part in ("1/2", "2/2"):
        sweep(changed(CONFIG, out=url, part=part), load_engine=load_engine)
    manifest, records = read_records(url)
    wanted_manifest, wanted = read_records(tmp_path / "run")
    assert (manifest.config, manifest.problems) == (wanted_manifest.config, wanted_manifest.problems)
    assert {r.key: r.solution for r in records} == {r.key: r.solution for r in wanted}
    again = sweep(changed(CONFIG, out=url), load_engine=load_engine)  # the lines of others say what is done
    assert (again.num_written, again.num_records) == (0, len(wanted))


def test_a_lost_machine_goes_on_from_what_was_put(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(url, SOME[:2])
    lines = content(url, "records/main.jsonl")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    with RunFolder(url, "main") as run, RecordsWriter(run.path) as log:
        assert log.done == {record.key for record in SOME[:2]}
        for record in SOME:
            log.write(record)
    assert content(url, "records/main.jsonl").startswith(lines)
    assert list(read_records(url)[1]) == SOME


def test_what_was_written_here_and_not_put_yet_is_kept(url: str) -> None:
    write(url, SOME[:1])
    with RecordsWriter(working_path(url, "main")) as log:  # a run that was killed before it put this
        log.write(SOME[1])
    with RunFolder(url, "main") as run, RecordsWriter(run.path) as log:
        assert len(log.done) == 2
    assert list(read_records(url)[1]) == SOME[:2]


def test_where_another_machine_went_on_its_records_count(
    url: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(url, SOME[:1])
    with RecordsWriter(working_path(url, "main")) as log:
        log.write(replace(SOME[1], solution="never put"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "another machine"))
    write(url, SOME[:3])
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    write(url, SOME)
    assert list(read_records(url)[1]) == SOME


def test_a_run_that_was_removed_there_begins_anew(url: str) -> None:
    write(url, SOME[:2])
    fsspec.filesystem("memory").rm(url, recursive=True)
    write(url, SOME[2:])
    assert list(read_records(url)[1]) == SOME[2:]


def test_files_are_put_now_and_then_and_take_a_tenth_of_the_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, put = Clock(), list[float]()
    real = Store.put

    def slow(self: Store, path: Path, name: str) -> None:
        real(self, path, name)
        put.append(clock.now)
        clock.now += 5.0  # each of the two files

    monkeypatch.setattr(Store, "put", slow)
    with RunFolder(url, "main", clock) as run, RecordsWriter(run.path) as log:
        take_up(run.path, make_manifest(), run.is_stored)
        run.publish()
        for record in MANY:
            log.write(record)
            run.written()
            clock.now += 0.1
        assert put[::2] == pytest.approx([RECORDS * 0.1 - 0.1])  # and then not before ten times as long is over
        clock.now += 10 * 10.0
        log.write(SOME[1])
        run.written()
        assert len(put) == 4
        clock.now += 100 + SECONDS
        log.write(SOME[2])
        run.written()
        assert len(put) == 6
    assert len(put) == 6  # nothing is new
    assert len(read_records(url)[1]) == len(MANY) + 2


def test_a_line_that_is_there_has_its_trace_there(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Store.put

    def dies(self: Store, path: Path, name: str) -> None:
        if name.startswith("records/") and self.size(name):
            raise StorageError("the network is gone")
        real(self, path, name)

    write(url, SOME[:1])
    monkeypatch.setattr(Store, "put", dies)
    with pytest.raises(StorageError, match=r"the network is gone; the records are kept in .* the same command goes on"):
        write(url, SOME)
    assert list(read_records(url)[1]) == SOME[:1]
    monkeypatch.undo()


def test_a_store_that_is_away_for_a_while_stops_no_run(
    url: str, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, clock = Store.size, Clock()
    away = [True]

    def size(self: Store, name: str) -> int:
        if away:
            raise StorageError(f"cannot read {self.url}: no network")
        return real(self, name)

    monkeypatch.setattr(Store, "size", size)
    with (
        caplog.at_level(logging.WARNING),
        RunFolder(url, "main", clock) as run,
        RecordsWriter(run.path) as log,
    ):
        take_up(run.path, make_manifest(), run.is_stored)
        run.publish()
        for record in MANY:
            log.write(record)
            run.written()
        away.clear()
    assert "no network; it is tried again later, the records are kept in" in caplog.text
    assert len(read_records(url)[1]) == len(MANY)


def test_two_under_one_name_are_told(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def two() -> None:
        with RunFolder(url, "main") as run, RecordsWriter(run.path) as log:
            take_up(run.path, make_manifest(), run.is_stored)
            run.publish()
            with pytest.raises(RecordsError, match=r"another sweep of this machine is writing to memory://.* as main"):
                RunFolder(url, "main")
            monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "another machine"))
            write(url, SOME[:1])
            log.write(SOME[1])

    with pytest.raises(RecordsError, match=r"another sweep writes to .* under the same name"):
        two()
    assert list(read_records(url)[1]) == SOME[:1]


def test_of_two_that_begin_at_once_the_second_grows_what_the_first_put(url: str) -> None:
    asked = make_manifest()
    first, second = (replace(asked, config={**asked.config, "models": [name]}) for name in ("one", "two"))
    with RunFolder(url, "a") as a, RunFolder(url, "b") as b:
        take_up(a.path, first, a.is_stored)
        take_up(b.path, second, b.is_stored)
        assert a.publish()
        assert not b.publish()
        take_up(b.path, second, b.is_stored)
        assert b.publish()
        other = replace(asked, seed=7)
        with pytest.raises(RecordsError, match=r"was made with --sampling.seed 0, not 7"), RunFolder(url, "c") as c:
            take_up(c.path, other, c.is_stored)
    with RunFolder(url, "d") as d, RecordsWriter(d.path, "d"):
        assert take_up(d.path, first, d.is_stored).config["models"] == ["one", "two"]


def test_what_has_not_changed_is_not_fetched_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(url, SOME[:2])
    folder = fetched(url)
    got: list[str] = []
    real = Store.get

    def get(self: Store, names: list[str], folder: Path) -> None:
        got.extend(names)
        real(self, names, folder)

    monkeypatch.setattr(Store, "get", get)
    assert fetched(url) == folder
    assert got == []
    write(url, SOME[2:], "other")
    got.clear()
    fetched(url)
    assert sorted(got) == ["records/other.jsonl", "traces/other.jsonl"]
    fsspec.filesystem("memory").rm(f"{url}/records/main.jsonl")
    assert list(read_records(url)[1]) == SOME[2:]


def test_files_of_others_are_left_where_they_are(url: str) -> None:
    write(url, SOME)
    files = fsspec.filesystem("memory")
    files.pipe_file(f"{url}/report/report.html", b"x")
    files.pipe_file(f"{url}/records/..jsonl", b"x")
    folder = fetched(url)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"manifest.json", "records/main.jsonl", "traces/main.jsonl"}


@pytest.mark.parametrize("prefix", ["file://", ""])
def test_a_folder_of_this_machine_is_itself(tmp_path: Path, prefix: str) -> None:
    out = f"{prefix}{tmp_path}/a run"
    assert working_path(out, "main") == tmp_path / "a run" == fetched(out)
    sweep(changed(CONFIG, out=out, limit=1), load_engine=load_engine)
    assert len(read_records(out)[1]) > 0


def test_what_cannot_be_is_told(url: str) -> None:
    with pytest.raises(RecordsError, match=r"memory://.*/run has no manifest.json: pass a folder"):
        read_records(url)
    with pytest.raises(MissingDependencyError, match="gs://bucket/run needs gcsfs: pip install gcsfs"):
        read_records("gs://bucket/run")
    with pytest.raises(StorageError, match=r"cannot open nonsense://x: Protocol not known: nonsense"):
        read_records("nonsense://x")
