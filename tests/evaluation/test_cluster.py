"""A sweep whose workers are threads: the records are those of this machine alone, and so is the folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

import random_words
from configs import changed
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.ray.config import RaySettings
from elastic_reasoning.engines.ray.worker import OpenWork
from elastic_reasoning.evaluation import cluster as module
from elastic_reasoning.evaluation.cluster import Chunks, chunk_size, in_words
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import SweepResult, sweep
from elastic_reasoning.evaluation.units import Plan
from elastic_reasoning.evaluation.work import digests_of
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import read_manifest
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.arithmetic import Arithmetic
from random_words import CONFIG
from stand_in_cluster import ThreadCluster

ENGINE = f"{random_words.__file__}:open_engine"
ALONE = changed(CONFIG, engine=ENGINE)
TOGETHER = changed(CONFIG, engine="ray", ray=RaySettings(ENGINE, chunk=1))


class Threads(ThreadCluster):
    """Three workers in threads."""

    def __init__(self, settings: RaySettings, open_work: Callable[[int], OpenWork]) -> None:
        super().__init__(open_work, 3)
        self.asked: list[int | None] = []

    def ask(self, function: Callable[..., Any], *args: Any, on_note: Callable[[str], None]) -> Any:
        return function(*args)

    @contextmanager
    def asked_for(self, number: int | None) -> Iterator[None]:
        self.asked.append(number)
        yield


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RayCluster", Threads)
    monkeypatch.setattr(module, "connected", lambda settings: nullcontext())
    monkeypatch.setattr("elastic_reasoning.engines.ray.pool.LOOK_SECONDS", 0.01)


def records(config: SweepConfig, folder: Path, **settings: Any) -> tuple[SweepResult, dict[Any, Record]]:
    result = sweep(changed(config, out=str(folder)), **settings)
    found = [*read_records(folder)[1]]
    assert len({record.key for record in found}) == len(found)
    return result, {record.key: record for record in found}


def test_the_folder_is_the_one_that_this_machine_alone_would_make(tmp_path: Path) -> None:
    notes: list[str] = []
    result, there = records(TOGETHER, tmp_path / "there", on_note=notes.append)
    assert there == records(ALONE, tmp_path / "alone")[1]
    assert result.num_written == len(there)
    one, other = read_manifest(tmp_path / "there"), read_manifest(tmp_path / "alone")
    assert one.config == other.config
    assert one.config["engine"] == ENGINE
    assert "ray" not in one.config
    assert notes[-1].startswith("3 workers, ")
    assert "worker hours" in notes[-1]


@pytest.mark.parametrize("first", ["there", "alone"])
def test_a_folder_goes_on_with_workers_and_without(tmp_path: Path, first: str) -> None:
    begun, finished = (TOGETHER, ALONE) if first == "there" else (ALONE, TOGETHER)
    written: list[Record] = []

    def stop(record: Record) -> None:
        written.append(record)
        if len(written) == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records(begun, tmp_path / "run", on_record=stop)
    result, found = records(finished, tmp_path / "run")
    assert result.num_written == len(found) - 50
    assert found == records(ALONE, tmp_path / "alone")[1]
    assert records(TOGETHER, tmp_path / "run")[0].num_written == 0


def test_what_a_worker_cannot_open_is_said_once(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def open_engine(model, config):\n    raise ValueError('no memory')\n")
    config = changed(TOGETHER, ray=RaySettings(f"{broken}:open_engine"))
    with pytest.raises(EngineError, match=r"^a worker cannot begin: ValueError: no memory$"):
        records(config, tmp_path / "run")


def test_a_strategy_in_a_file_is_known_on_the_workers(tmp_path: Path) -> None:
    strategy = Path(__file__).parents[2] / "examples" / "own_strategy.py"
    name = next(line.split(" =")[0] for line in strategy.read_text().splitlines() if "= Strategy(" in line)
    config = changed(TOGETHER, strategies=(f"{strategy}:{name}",), options={}, limit=2)
    _, found = records(config, tmp_path / "run")
    assert {record.strategy for record in found.values()} == {name}


@pytest.mark.parametrize(("num_workers", "size"), [(1, 3), (2, 3), (10, 3), (3, 100)])
def test_chunks_hold_every_unit_once_and_one_model_each(num_workers: int, size: int) -> None:
    plan = Plan(CONFIG, Arithmetic().problems("test", 7), [])
    plan = Plan(CONFIG, plan.problems, [("elastic", CONFIG.budgets, {})])  # type: ignore[list-item]
    units = [unit for model in ("one", "two") for unit in plan.units(model, set())]
    chunks = Chunks(iter(units), len(units), size, lambda: num_workers)
    items = [*iter(chunks.next, None)]
    assert [unit for item in items for unit in item] == units
    assert all(len({unit.model for unit in item}) == 1 and len(item) <= size for item in items)
    assert len(items[-1]) == 1
    assert len(items) >= min(num_workers, len(units))


def test_a_chunk_keeps_an_engine_busy() -> None:
    config = changed(CONFIG, engine="ray", samples=4, max_rows=64)
    assert chunk_size(config, 10) == 16
    assert chunk_size(changed(config, share=False), 10) == 2
    assert chunk_size(changed(config, **{"ray.engine": "vllm"}), 1) == 16
    assert chunk_size(changed(config, **{"ray.chunk": 5}), 10) == 5


def test_digests_are_of_models_that_are_files() -> None:
    assert digests_of(["owner/on-the-hub"]) == {"models_digest": {}}


def test_how_workers_do_in_words() -> None:
    class Pool:
        num_lost = 2

        def rates(self) -> list[float]:
            return [1.25, 4.0]

        def seconds(self) -> float:
            return 7200.0

    assert in_words(Pool(), 0.0) == "2 workers, 1.25 to 4 records/s each, 2 lost, 2.00 worker hours"  # type: ignore
    assert in_words(Pool(), 1.5).endswith("2.00 worker hours, cost 3.00")  # type: ignore[arg-type]
