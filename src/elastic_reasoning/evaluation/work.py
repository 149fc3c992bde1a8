"""The work of a sweep, wherever it is done: units in, graded records out.

for record in records_of(config, engine, task, units): ...
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import perf_counter

from elastic_reasoning.core.request import derived_seed
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine, new_request, run
from elastic_reasoning.engines.names import parts_of
from elastic_reasoning.engines.opening import check_models, check_models_by_name, precisions
from elastic_reasoning.engines.sharing import share
from elastic_reasoning.engines.unknown_words import unknown_note, unknown_words
from elastic_reasoning.evaluation.config import Asking, SweepConfig
from elastic_reasoning.evaluation.grading_pool import graded
from elastic_reasoning.evaluation.units import Unit
from elastic_reasoning.evaluation.void import void_settings
from elastic_reasoning.records.digests import models_digest
from elastic_reasoning.records.manifest import MODELS_DIGEST
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.task import Problem, Task


def facts_of(engine: EngineConfig, models: Iterable[str]) -> dict[str, object]:
    """What decides results and is known where models are run alone: types of weights, and which weights they are.

    Raises:
        EngineError, TemplateError, UsageError, MissingDependencyError: one cannot be run here.
    """
    models = [*models]
    check_models_by_name(engine, models)
    check_models(engine, models)
    types = {"dtype": precisions(engine, models)} if engine.name == "transformers" else {}
    return {**types, **digests_of(models)}


def digests_of(models: Iterable[str]) -> dict[str, object]:
    """Which weights models have here."""
    return {MODELS_DIGEST: models_digest(part for model in models for part in parts_of(model))}


def notes_of(engine: Engine, model: str, first: Problem, settings: Iterable[Asking]) -> Iterator[str]:
    """What is to be said of an engine before it answers.

    Args:
        engine: of that model.
        model: its name.
        first: the first problem; the others are taken to be like it.
        settings: all that it is asked under.
    """
    if engine.note:
        yield f"{model}: {engine.note}"
    words = unknown_words(getattr(engine, "tokenizer", None), str(first.messages[-1]["content"]))
    if unread := unknown_note(model, words):
        yield f"{unread} (the first problem)"
    if void := void_settings(settings, engine.prompt(first.messages)):
        yield f"{model}: {void}"


def traces_of(config: SweepConfig, engine: Engine, units: Iterable[Unit]) -> Iterator[Trace]:
    """What an engine makes of units of one model, not yet graded; arguments as for `records_of`."""

    def walks() -> Iterator[Walk]:
        for unit in units:
            problem = unit.problem
            sampling = replace(config.sampling, seed=derived_seed(config.sampling.seed, problem.id))
            for sample, (strategy, budget, options) in unit.asked:
                request = new_request(
                    engine, problem.messages, budget, strategy, options, sampling, sample, name=problem.id
                )
                yield Walk(request, engine.template, engine.context)

    return (share if is_shared(config) else run)(engine, walks())


def records_of(config: SweepConfig, engine: Engine, task: Task, units: Iterable[Unit]) -> Iterator[Record]:
    """The records of units of one model, as they are graded.

    Args:
        config: of the sweep.
        engine: of that model.
        task: grades.
        units: taken one by one, as there is room.
    """
    problems: dict[str, Problem] = {}
    model = ""

    def noted() -> Iterator[Unit]:
        nonlocal model
        for unit in units:
            problems[unit.problem.id], model = unit.problem, unit.model
            yield unit

    before = perf_counter()
    traces = traces_of(config, engine, noted())
    for trace, grade in graded(task, problems, traces, config.grading.grading_workers):
        now = perf_counter()
        yield Record.of(trace, model, trace.request.name, grade, seconds=now - before)
        before = now


def is_shared(config: SweepConfig) -> bool:
    """Whether one thinking serves every budget that it can serve."""
    return config.share and (config.engine.name == "transformers" or config.one_thinking)
