"""A sweep on a Ray cluster: workers ask models and grade, this process hands problems out and writes records.

    with on_cluster(config, on_note) as cluster:
        cluster.facts(models)
        for record in cluster.records(plan, models, writer.done): ...

The records are those that this machine alone would make: what is drawn hangs on the request, not on who answers it. So
a folder may be begun on a cluster and finished without, and the other way round.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from math import ceil
from os.path import relpath

from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.opening import open_engine
from elastic_reasoning.engines.ray.cluster import RayCluster, connected
from elastic_reasoning.engines.ray.pool import Pool
from elastic_reasoning.engines.ray.worker import OpenWork
from elastic_reasoning.evaluation.config import Asking, SweepConfig
from elastic_reasoning.evaluation.units import Plan, Unit
from elastic_reasoning.evaluation.work import facts_of, notes_of, records_of
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem, Task
from elastic_reasoning.untrusted.own_strategies import LOADED, strategy_names

Item = tuple[Unit, ...]
"""Units of one model, which a worker works on together."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a worker wants a person to know."""

    text: str


@dataclass(frozen=True, slots=True)
class OpenSweep:
    """Makes a worker's part of a sweep, on the worker.

    Attributes:
        config: of the sweep, with the worker's own engine.
        own: strategies that lie in files.
        model: the first one to open.
        first, settings: see `notes_of`.
    """

    config: SweepConfig
    own: tuple[str, ...]
    model: str
    first: Problem
    settings: Sequence[Asking]

    def __call__(self) -> "SweepWork":
        strategy_names(self.own)
        task = load_task(self.config.task, self.config.grading)
        task.grade(self.first, "")  # a grader that cannot run here, or may not, says so before anything is generated
        return SweepWork(self, task)


class SweepWork:
    """A worker's part of a sweep. It has the engine of one model at a time open."""

    def __init__(self, told: OpenSweep, task: Task) -> None:
        self._told, self._task = told, task
        self._engine: Engine | None = None
        self._model = ""
        self._notes: list[Note] = []
        self._open(told.model)

    def results(self, item: Item) -> Iterator[Record | Note]:
        """The graded records of an item."""
        engine = self._open(item[0].model)
        yield from self._notes
        self._notes = []
        yield from records_of(self._told.config, engine, self._task, item)

    def interrupt(self, word: object) -> None:
        """A sweep's items are not interrupted but ended, with their worker."""

    def close(self) -> None:
        """Close the engine and what grades."""
        if self._engine is not None:
            self._engine.close()
        self._task.close()

    def _open(self, model: str) -> Engine:
        if self._engine is not None and self._model == model:
            return self._engine
        if self._engine is not None:
            self._engine.close()
        told = self._told
        self._engine, self._model = open_engine(told.config.engine, model), model
        self._notes += map(Note, notes_of(self._engine, model, told.first, told.settings))
        return self._engine


class Chunks:
    """The units of a sweep in items of a size that keeps an engine busy, and smaller ones towards the end.

    Args:
        units: what is to be done, model by model.
        num_units: how many there are.
        size: the most in one item.
        num_workers: how many work.
    """

    def __init__(self, units: Iterable[Unit], num_units: int, size: int, num_workers: Callable[[], int]) -> None:
        self._units, self._num_left, self._size, self._num_workers = iter(units), num_units, size, num_workers
        self._kept: Unit | None = None

    def next(self) -> Item | None:
        """The next item, `None` at the end."""
        size = max(1, min(self._size, ceil(self._num_left / (2 * self._num_workers()))))
        item: list[Unit] = []
        while len(item) < size:
            unit, self._kept = self._kept or next(self._units, None), None
            if unit is None:
                break
            if item and unit.model != item[0].model:
                self._kept = unit
                break
            item.append(unit)
        self._num_left -= len(item)
        return tuple(item) or None


def chunk_size(config: SweepConfig, num_settings: int) -> int:
    """Problems that together keep a worker's engine busy."""
    engine = config.engine.of_worker(0)
    rows = engine.server.concurrency if engine.name == "openai" else engine.max_rows
    shares = config.share and engine.name == "transformers"  # the settings of a sample are then one thinking
    return config.engine.ray.chunk or max(1, ceil(rows / (config.samples * (1 if shares else num_settings))))


class SweepOnCluster:
    """A sweep's workers on a cluster."""

    def __init__(self, config: SweepConfig, on_note: Callable[[str], None], on_status: Callable[[str], None]) -> None:
        self._config, self._on_note, self._on_status = config, on_note, on_status
        self._said: set[str] = set()
        self._cluster = RayCluster(config.engine.ray, self._open_work)
        self._opens: OpenSweep | None = None
        self.pool: Pool | None = None

    def facts(self, models: Sequence[str]) -> dict[str, object]:
        """What `facts_of` says on a worker: its devices decide, and its files are those that are run."""
        return self._cluster.ask(facts_of, self._config.engine.of_worker(0), [*models], on_note=self._on_note)

    def records(self, plan: Plan, models: Sequence[str], done: Set[Key]) -> Generator[Record]:
        """The records that lack, as they come from any worker; `done` grows as they are written."""
        num_units = sum(1 for model in models for _ in plan.units(model, done))
        if not num_units:
            return
        units = (unit for model in models for unit in plan.units(model, done))
        first_model = next(model for model in models for _ in plan.units(model, done))
        self._opens = OpenSweep(_plain(self._config), _own(), first_model, plan.problems[0], plan.settings)
        engine = self._config.engine
        chunks = Chunks(units, num_units, chunk_size(self._config, len(plan.settings)), lambda: pool.num_wanted)

        def again(item: Item, apart: bool) -> list[Item]:
            left = [missing for unit in item if (missing := unit.lacking(done)).asked]
            return [(unit,) for unit in left] if apart else [tuple(left)] * bool(left)

        def gave_up(item: Item, error: str) -> Iterator[Record]:
            return (Record.without_trace(key, error) for unit in item for key in unit.keys)

        bounds = (min(engine.ray.bounds[0], engine.most_workers or num_units), engine.most_workers)
        pool = self.pool = Pool(self._cluster, chunks.next, again, gave_up, bounds, self._on_note)
        for result in pool.run():
            if isinstance(result, Record):
                yield result
            else:
                self._say_once(result)

    def _open_work(self, slot: int) -> OpenWork:
        assert self._opens is not None
        config = replace(self._opens.config, engine=self._config.engine.of_worker(slot))
        return replace(self._opens, config=config)

    def _say_once(self, note: Note) -> None:
        if note.text not in self._said:
            self._said.add(note.text)
            self._on_note(note.text)


@contextmanager
def on_cluster(
    config: SweepConfig, on_note: Callable[[str], None], on_status: Callable[[str], None]
) -> Iterator[SweepOnCluster]:
    """Connect to the cluster of a sweep.

    Raises:
        EngineError, MissingDependencyError: it cannot be reached.
    """
    with connected(config.engine.ray):
        yield SweepOnCluster(config, on_note, on_status)


def _plain(config: SweepConfig) -> SweepConfig:
    """Without what a command adds."""
    return SweepConfig(**{field.name: getattr(config, field.name) for field in fields(SweepConfig)})


def _own() -> tuple[str, ...]:
    """The strategies in files, by paths that mean the same in a copy of this folder."""
    return tuple(
        f"{file.path if (path := relpath(file.path)).startswith('..') else path}:{file.name}"
        for file in LOADED.values()
    )
