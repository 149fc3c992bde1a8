"""Accuracy over budgets: every (model, strategy, budget) on the same problems, into one folder of records.

    config = SweepConfig(models=("mini", "mini-e1"), budgets=("8+20", "24+20"), out="runs/sweep")
    result = sweep(config)
    summarise(read_records(Path(config.out))[1])

A sweep that was interrupted goes on where it stopped when it is started again, and one that is finished takes more
problems, samples, budgets, strategies and models: nothing is made twice. A record is written when the next completion
arrives after its grade: what is under way until then is made again after a kill.
"""

from collections.abc import Callable, Generator, Sequence, Set
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Protocol, cast

from elastic_reasoning.engines.config import RAY, EngineConfig
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.opening import check_models_by_name, open_engine
from elastic_reasoning.evaluation.cluster import on_cluster
from elastic_reasoning.evaluation.config import SweepConfig, deciding, models_of, part_of, settings, writer_of
from elastic_reasoning.evaluation.growth import take_up
from elastic_reasoning.evaluation.units import Plan
from elastic_reasoning.evaluation.work import digests_of, facts_of, notes_of, records_of
from elastic_reasoning.records.log import RecordsWriter
from elastic_reasoning.records.manifest import Growth, Manifest
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.records.run_folder import RunFolder
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Split, Task


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep did.

    Attributes:
        num_records: records in the folder.
        num_written: of these, written now.
        num_errors: of those written now, with an error.
        num_cut_bytes: length of a torn last line that an earlier death had left.
    """

    num_records: int
    num_written: int
    num_errors: int
    num_cut_bytes: int


def sweep(
    config: SweepConfig,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
    load_engine: Callable[[EngineConfig, str], Engine] | None = None,
    on_note: Callable[[str], None] = lambda note: None,
    on_status: Callable[[str], None] = lambda status: None,
) -> SweepResult:
    """Measure every setting that is not in the folder yet.

    Args:
        config: what to measure.
        on_start: called once with the number of records there are and that there will be.
        on_record: called with each record once it is written.
        load_engine: (engine's configuration, model name) to an engine; `open_engine` if not given.
        on_note: called with what a task has to say of how it grades, an engine of how it keeps budgets and makes
            prompts, settings that are the same as a budget has no effect, and how a folder grows.
        on_status: called now and then with how workers on a cluster do, in a few words.

    Raises:
        ElasticError: something asked for is not known, or the folder cannot be used.
    """
    plan_settings, models = settings(config), models_of(config)
    if load_engine is None:
        check_models_by_name(config.engine, models)
    with ExitStack() as held:
        task = held.enter_context(closing(load_task(config.task, config.grading)))
        problems = task.problems(cast(Split, config.split), config.limit)
        part = part_of(config)
        plan = Plan(config, part.of(problems) if part else problems, plan_settings)
        if load_engine is None and config.engine.name == RAY:
            does: Does = held.enter_context(on_cluster(config, on_note, on_status))
        else:
            does = Here(config, task, load_engine, on_note)
        decides = {**deciding(config), **does.facts(models)}
        if part:
            on_note(f"part {part}: {len(plan.problems)} of {len(problems)} problems")
        if task.note:
            on_note(f"{config.task.name}: {task.note}")
        num_errors = num_written = 0
        name = writer_of(config)
        with RunFolder(config.out, name) as run, RecordsWriter(run.path, name) as writer:
            manifest = Manifest.new(
                config.task.name, config.split, config.sampling.seed, decides, problems, config.task.data
            )
            stands = take_up(run.path, manifest, run.is_stored)
            while not run.publish():
                stands = take_up(run.path, manifest, run.is_stored)
            if stands.grown and stands.grown[-1]["created"] == manifest.created:
                on_note(f"{config.out} grows: {in_words(stands.grown[-1])}")
            num_done = sum(plan.num_done(model, writer.done) for model in models)
            on_start(num_done, len(models) * plan.num_each)
            with closing(does.records(plan, models, writer.done)) as records:
                for record in records:
                    writer.write(record)
                    run.written()
                    num_written += 1
                    num_errors += record.error is not None
                    on_record(record)
            return SweepResult(len(writer.done), num_written, num_errors, writer.num_cut_bytes)


class Does(Protocol):
    """Who does the work of a sweep."""

    def facts(self, models: Sequence[str]) -> dict[str, object]:
        """What decides results beside the configuration."""

    def records(self, plan: Plan, models: Sequence[str], done: Set[Key]) -> Generator[Record]:
        """Those that are not done, as they are made; each is done when the next one is asked for."""


class Here:
    """This process does the work, one model after the other."""

    def __init__(
        self,
        config: SweepConfig,
        task: Task,
        load_engine: Callable[[EngineConfig, str], Engine] | None,
        on_note: Callable[[str], None],
    ) -> None:
        self._config, self._task, self._load_engine, self._on_note = config, task, load_engine, on_note

    def facts(self, models: Sequence[str]) -> dict[str, object]:
        """See `facts_of`; engines of the caller's own are not asked."""
        return facts_of(self._config.engine, models) if self._load_engine is None else digests_of(models)

    def records(self, plan: Plan, models: Sequence[str], done: Set[Key]) -> Generator[Record]:
        """The records that lack."""
        if not plan.problems:  # of a part, where there are more parts than problems
            return
        first = plan.problems[0]
        self._task.grade(first, "")  # a grader that cannot run, or may not, says so before anything is generated
        for model in models:
            if not any(True for _ in plan.units(model, done)):
                continue
            with closing((self._load_engine or open_engine)(self._config.engine, model)) as engine:
                for note in notes_of(engine, model, first, plan.settings):
                    self._on_note(note)
                yield from records_of(self._config, engine, self._task, plan.units(model, done))


def in_words(growth: Growth) -> str:
    """What was added to a run, as a few words."""
    added = {name: what for name, what in growth["added"].items() if name != "settings" or len(growth["added"]) == 1}
    return ", ".join(f"{name} {', '.join(what) if isinstance(what, list) else what}" for name, what in added.items())
