"""The work of a sweep, wherever it is done: units in, graded records out.

for record in records_of(config, engine, task, units): ...
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import perf_counter

from elastic_reasoning.core.request import derived_seed
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine, new_request, run
from elastic_reasoning.engines.sharing import share
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.grading_pool import graded
from elastic_reasoning.evaluation.units import Unit
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.task import Problem, Task


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

    def walks() -> Iterator[Walk]:
        nonlocal model
        for unit in units:
            problem, model = unit.problem, unit.model
            problems[problem.id] = problem
            sampling = replace(config.sampling, seed=derived_seed(config.sampling.seed, problem.id))
            for sample, (strategy, budget, options) in unit.asked:
                request = new_request(
                    engine, problem.messages, budget, strategy, options, sampling, sample, name=problem.id
                )
                yield Walk(request, engine.template, engine.context)

    answer = share if config.share and config.engine.name == "transformers" else run
    before = perf_counter()
    for trace, grade in graded(task, problems, answer(engine, walks()), config.grading.grading_workers):
        now = perf_counter()
        yield Record.of(trace, model, trace.request.name, grade, seconds=now - before)
        before = now
