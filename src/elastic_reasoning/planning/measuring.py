"""A short run through the real engine and the real sweep, from which a whole one is reckoned.

model, measured = measure(config, "mini", problems, task, num_problems=16)
measured.pace, measured.lengths
"""

import math
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.flow import Worker
from elastic_reasoning.engines.opening import open_engine
from elastic_reasoning.evaluation.config import SweepConfig, part_of
from elastic_reasoning.evaluation.parts import SweepPart
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.planning.counting import count
from elastic_reasoning.planning.lengths import Lengths
from elastic_reasoning.planning.models import PlannedModel, read_model
from elastic_reasoning.planning.pace import Pace, TimedWalk, busy_seconds, fitted
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.task import Problem, Task

FEWER = 8
"""By how much a first run is shorter: with so few rows, a step's seconds can be told from a row's."""
MOST_GRADED = 64
"""Solutions that are graded again, to see how long that takes."""


class TimedEngine:
    """An engine that notes when it takes each walk and when it hands it back. It stays open when it is closed.

    Attributes:
        inner: the engine.
        walks: those that are over.
    """

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.walks: list[TimedWalk] = []
        if isinstance(inner, Worker):
            self.work = inner.work

    @property
    def template(self) -> Template:
        return self.inner.template

    @property
    def context(self) -> int | None:
        return self.inner.context

    @property
    def note(self) -> str:
        return self.inner.note

    @property
    def capacity(self) -> int:
        return self.inner.capacity

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """As the engine makes it."""
        return self.inner.prompt(messages, tools)

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Hand walks on to the engine."""
        began, before = time.perf_counter(), [(len(walk.steps), _num_sampled(walk)) for walk in walks]
        futures = self.inner.submit(walks, listen, until)
        for walk, future, (num_steps, num_sampled) in zip(walks, futures, before, strict=True):

            def note(_: Future[Walk], walk: Walk = walk, steps: int = num_steps, sampled: int = num_sampled) -> None:
                took = _num_sampled(walk) - sampled, len(walk.steps) - steps
                self.walks.append(TimedWalk(began, time.perf_counter(), *took))

            future.add_done_callback(note)
        return futures

    def close(self) -> None:
        """Nothing: the next run goes on with the engine."""


def _num_sampled(walk: Walk) -> int:
    return sum(len(step.completion.ids) for step in walk.steps)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a short run told of a model.

    Attributes:
        lengths: how long it thinks and answers.
        pace: how fast it is.
        rows: that it runs together.
        record_bytes: of a record with its trace, on average.
        grading_seconds: of one solution.
        num_problems: that were asked.
    """

    lengths: Lengths
    pace: Pace
    rows: int
    record_bytes: float
    grading_seconds: float
    num_problems: int


@dataclass(frozen=True, slots=True)
class _Run:
    """One short run."""

    walks: list[TimedWalk]
    records: list[Record]
    seconds: float
    num_bytes: int

    @property
    def busy_seconds(self) -> float:
        """How long something was under way."""
        return busy_seconds(self.walks)

    @property
    def idle_seconds(self) -> float:
        """How long nothing was."""
        return max(0.0, self.seconds - self.busy_seconds)


def measure(
    config: SweepConfig, name: str, problems: Sequence[Problem], task: Task, num_problems: int
) -> tuple[PlannedModel, Measured]:
    """Measure a model on some problems, from all over them, once each under every setting; nothing is kept of it.

    Args:
        config: the sweep.
        name: of one of its models.
        problems: of the sweep.
        task: what grades them.
        num_problems: to ask, at the most.

    Raises:
        ElasticError: it cannot be run.
    """
    num_parts = max(1, math.ceil(len(problems) / num_problems))
    began = time.perf_counter()
    with closing(open_engine(config.engine, name)) as engine:  # before anything else imports what it needs
        opening_seconds = time.perf_counter() - began
        first, few_rows, many = (
            _run(config, name, engine, num) for num in (FEWER * num_parts, FEWER * num_parts, num_parts)
        )
        rows, context = engine.capacity, engine.context
    model = read_model(name, config.engine)
    asked = SweepPart(num_parts, 1).of(problems)
    lengths, pace = Lengths.of(many.records), fitted([few_rows.walks, many.walks])
    pace = _as_it_was(config, asked, model, lengths, pace, rows, many)
    more_records = max(1, len(many.records) - len(few_rows.records))
    record_seconds = max(0.0, many.idle_seconds - few_rows.idle_seconds) / more_records
    fixed_seconds = max(0.0, many.idle_seconds - record_seconds * len(many.records))
    fixed_seconds += max(0.0, first.seconds - few_rows.seconds)  # what is slower the first time
    measured = Measured(
        lengths=lengths,
        pace=replace(pace, record_seconds=record_seconds, start_up_seconds=opening_seconds + fixed_seconds),
        rows=rows,
        record_bytes=many.num_bytes / len(many.records),
        grading_seconds=_grading_seconds(task, asked, many.records),
        num_problems=len(asked),
    )
    return replace(model, context=context), measured


def _run(config: SweepConfig, model: str, engine: Engine, num_parts: int) -> _Run:
    """A sweep of one in so many of the problems."""
    whole = part_of(config) or SweepPart(1, 1)
    part = SweepPart(num_parts * whole.num_parts, whole.number)
    timed = TimedEngine(engine)
    with tempfile.TemporaryDirectory() as folder:
        short = replace(config, models=(model,), thinking_model="", solution_model="")
        short = replace(short, part=str(part), writer="", samples=1, out=folder)
        began = time.perf_counter()
        sweep(short, load_engine=lambda _, __: timed)
        seconds = time.perf_counter() - began
        records = list(read_records(Path(folder))[1])
        num_bytes = sum(path.stat().st_size for path in Path(folder).rglob("*.jsonl"))
    return _Run(timed.walks, records, seconds, num_bytes)


def _as_it_was(
    config: SweepConfig,
    problems: Sequence[Problem],
    model: PlannedModel,
    lengths: Lengths,
    pace: Pace,
    rows: int,
    run: _Run,
) -> Pace:
    """The pace at which the simulation takes as long for each token as the run did.

    The fit looks at each walk by itself: what walks do to each other, as those that join a batch, is left to this.
    """
    once = replace(config, samples=1)
    counts = count(once, problems, model, lengths, pace, rows, len(problems))
    num_generated = sum(record.num_spent_tokens - record.num_reused_tokens for record in run.records)
    if not (counts.seconds and num_generated and run.busy_seconds):
        return pace
    return pace.scaled(run.busy_seconds / num_generated * counts.total.generated / counts.seconds)


def _grading_seconds(task: Task, problems: Sequence[Problem], records: Sequence[Record]) -> float:
    """Of one solution, when nothing else is done."""
    by_id = {problem.id: problem for problem in problems}
    solutions = [(by_id[record.problem], record.solution) for record in records if record.error is None][:MOST_GRADED]
    began = time.perf_counter()
    for problem, solution in solutions:
        task.grade(problem, solution)
    return (time.perf_counter() - began) / max(1, len(solutions))
