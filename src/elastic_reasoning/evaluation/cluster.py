"""A sweep on a Ray cluster: workers ask models and grade, this process hands problems out and writes records.

    with on_cluster(config, on_note) as cluster:
        cluster.facts(models)
        for record in cluster.records(plan, models, writer.done): ...

The records are those that this machine alone would make: what is drawn hangs on the request, not on who answers it. So
a folder may be begun on a cluster and finished without, and the other way round.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from math import ceil
from time import monotonic

from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.opening import open_engine
from elastic_reasoning.engines.ray.cluster import RayCluster, connected, own_strategies
from elastic_reasoning.engines.ray.pool import Pool
from elastic_reasoning.engines.ray.worker import End, OpenWork
from elastic_reasoning.evaluation.config import Asking, SweepConfig
from elastic_reasoning.evaluation.units import Plan, Unit
from elastic_reasoning.evaluation.work import facts_of, notes_of, records_of
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem, Task
from elastic_reasoning.untrusted.own_strategies import strategy_names

STATUS_SECONDS = 1.0
"""How often it is told how the workers do."""
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

    def begin(self, item: Item, tell: Callable[[Record | Note], None], end: End) -> None:
        """Make the graded records of an item, within this call."""
        engine = self._open(item[0].model)
        while self._notes:
            tell(self._notes.pop(0))
        for record in records_of(self._told.config, engine, self._task, item):
            tell(record)
        end(None)

    def interrupt(self, word: object) -> None:
        """A sweep's items are not interrupted but ended, with their worker."""

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
    shares = config.share and engine.name == "transformers"  # the settings of a sample are then one thinking
    return config.engine.ray.chunk or max(1, ceil(engine.rows / (config.samples * (1 if shares else num_settings))))


class SweepOnCluster:
    """A sweep's workers on a cluster."""

    def __init__(self, config: SweepConfig, on_note: Callable[[str], None], on_status: Callable[[str], None]) -> None:
        self._config, self._on_note, self._on_status = config, on_note, on_status
        self._said: set[str] = set()
        self._cluster = RayCluster(config.engine.ray, self._open_work)
        self._opens: OpenSweep | None = None

    def facts(self, models: Sequence[str]) -> dict[str, object]:
        """What `facts_of` says on a worker: its devices decide, and its files are those that are run."""
        return self._cluster.ask(facts_of, self._config.engine.of_worker(0), [*models], on_note=self._on_note)

    def records(self, plan: Plan, models: Sequence[str], done: Set[Key]) -> Generator[Record]:
        """The records that lack, as they come from any worker; `done` grows as they are written."""
        num_units = {model: sum(1 for _ in plan.units(model, done)) for model in models}
        left = [model for model in models if num_units[model]]
        if not left:
            return
        self._opens = OpenSweep(_plain(self._config), own_strategies(), left[0], plan.problems[0], plan.settings)
        units = (unit for model in left for unit in plan.units(model, done))
        size = chunk_size(self._config, len(plan.settings))
        chunks = Chunks(units, sum(num_units.values()), size, lambda: pool.num_wanted)
        fewest, most = self._config.engine.ray.bounds[0], self._config.engine.most_workers
        bounds = (fewest if most is None else min(fewest, most), most)
        pool = Pool(self._cluster, chunks.next, partial(_again, done), _gave_up, bounds, self._on_note)
        with self._cluster.asked_for(most), closing(pool.run()) as results:
            try:
                yield from self._records_among(results, pool)
            finally:
                self._on_note(in_words(pool, self._config.engine.ray.price_per_hour))

    def _records_among(self, results: Iterable[Record | Note], pool: Pool) -> Iterator[Record]:
        said_at = monotonic()
        for result in results:
            if isinstance(result, Record):
                yield result
            else:
                self._say_once(result)
            if monotonic() - said_at > STATUS_SECONDS:
                said_at = monotonic()
                self._on_status(in_words(pool, self._config.engine.ray.price_per_hour))

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


def _again(done: Set[Key], item: Item, apart: bool) -> list[Item]:
    """What of an item has no record yet; each problem by itself where one of them may have killed a worker."""
    left = tuple(missing for unit in item if (missing := unit.lacking(done)).asked)
    return [(unit,) for unit in left] if apart else [left] * bool(left)


def _gave_up(item: Item, error: str) -> Iterator[Record]:
    return (Record.without_trace(key, error) for unit in item for key in unit.keys)


def in_words(pool: Pool, price_per_hour: float) -> str:
    """How the workers do, and what they have cost so far."""
    rates = pool.rates()
    spread = f"{rates[0]:.3g} to {rates[-1]:.3g}" if len(rates) > 1 else "".join(f"{rate:.3g}" for rate in rates)
    hours = pool.seconds() / 3600
    parts = [
        f"{len(rates)} worker{'s' * (len(rates) != 1)}",
        f"{spread} records/s each" if rates else "",
        f"{pool.num_lost} lost" if pool.num_lost else "",
        f"{hours:.2f} worker hours",
        f"cost {hours * price_per_hour:.2f}" if price_per_hour else "",
    ]
    return ", ".join(filter(None, parts))


def _plain(config: SweepConfig) -> SweepConfig:
    """Without what a command adds."""
    return SweepConfig(**{field.name: getattr(config, field.name) for field in fields(SweepConfig)})
