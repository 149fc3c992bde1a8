"""Accuracy over budgets: every (model, strategy, budget) on the same problems, into one folder of records.

    config = SweepConfig(models=("mini", "mini-e1"), budgets=("8+20", "24+20"), out="runs/sweep")
    result = sweep(config)
    summarise(read_records(Path(config.out))[1])

A sweep that was interrupted goes on where it stopped when it is started again, and one that is finished takes more
problems, samples, budgets, strategies and models: nothing is made twice. A record is written when the next completion
arrives after its grade: what is under way until then is made again after a kill.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.names import parts_of
from elastic_reasoning.engines.opening import check_models, check_models_by_name, open_engine, precisions
from elastic_reasoning.engines.unknown_words import unknown_note, unknown_words
from elastic_reasoning.evaluation.config import SweepConfig, deciding, models_of, part_of, settings, writer_of
from elastic_reasoning.evaluation.growth import take_up
from elastic_reasoning.evaluation.units import Plan
from elastic_reasoning.evaluation.void import void_settings
from elastic_reasoning.evaluation.work import records_of
from elastic_reasoning.records.digests import models_digest
from elastic_reasoning.records.log import RecordsWriter
from elastic_reasoning.records.manifest import MODELS_DIGEST, Growth, Manifest
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Split


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
) -> SweepResult:
    """Measure every setting that is not in the folder yet.

    Args:
        config: what to measure.
        on_start: called once with the number of records there are and that there will be.
        on_record: called with each record once it is written.
        load_engine: (engine's configuration, model name) to an engine; `open_engine` if not given.
        on_note: called with what a task has to say of how it grades, an engine of how it keeps budgets and makes
            prompts, settings that are the same as a budget has no effect, and how a folder grows.

    Raises:
        ElasticError: something asked for is not known, or the folder cannot be used.
    """
    plan_settings, models = settings(config), models_of(config)
    if load_engine is None:
        check_models_by_name(config.engine, models)
    with closing(load_task(config.task, config.grading)) as task:
        problems = task.problems(cast(Split, config.split), config.limit)
        part = part_of(config)
        plan = Plan(config, part.of(problems) if part else problems, plan_settings)
        decides = deciding(config)
        if load_engine is None:
            check_models(config.engine, models)
            if config.engine.name == "transformers":
                decides["dtype"] = precisions(config.engine, models)
        decides[MODELS_DIGEST] = models_digest(part for model in models for part in parts_of(model))
        if part:
            on_note(f"part {part}: {len(plan.problems)} of {len(problems)} problems")
        if task.note:
            on_note(f"{config.task.name}: {task.note}")
        task.grade(problems[0], "")  # a grader that cannot run, or may not, says so before anything is generated
        num_errors = num_written = 0
        with RecordsWriter(Path(config.out), writer_of(config)) as writer:
            manifest = Manifest.new(
                config.task.name, config.split, config.sampling.seed, decides, problems, config.task.data
            )
            stands = take_up(Path(config.out), manifest)
            if stands.grown and stands.grown[-1]["created"] == manifest.created:
                on_note(f"{config.out} grows: {in_words(stands.grown[-1])}")
            num_done = {model: plan.num_done(model, writer.done) for model in models}
            on_start(sum(num_done.values()), len(models) * plan.num_each)
            for model in models:
                if num_done[model] == plan.num_each:
                    continue
                with closing((load_engine or open_engine)(config.engine, model)) as engine:
                    if engine.note:
                        on_note(f"{model}: {engine.note}")
                    words = unknown_words(getattr(engine, "tokenizer", None), str(problems[0].messages[-1]["content"]))
                    if unread := unknown_note(model, words):
                        on_note(f"{unread} (the first problem)")
                    if void := void_settings(plan_settings, engine.prompt(problems[0].messages)):
                        on_note(f"{model}: {void}")
                    for record in records_of(config, engine, task, plan.units(model, writer.done)):
                        writer.write(record)
                        num_written += 1
                        num_errors += record.error is not None
                        on_record(record)
            return SweepResult(len(writer.done), num_written, num_errors, writer.num_cut_bytes)


def in_words(growth: Growth) -> str:
    """What was added to a run, as a few words."""
    added = {name: what for name, what in growth["added"].items() if name != "settings" or len(growth["added"]) == 1}
    return ", ".join(f"{name} {', '.join(what) if isinstance(what, list) else what}" for name, what in added.items())
