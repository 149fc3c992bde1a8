"""How many tokens and seconds the settings of a sweep come to, on some of its problems: the real walks, simulated.

counts = count(config, problems, model, lengths, pace, rows=64, num_problems=32)
counts.by_setting["elastic", Budget(24, 20)].num_generated, counts.seconds
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.trace import Phase, Trace
from elastic_reasoning.evaluation.config import SweepConfig, settings
from elastic_reasoning.evaluation.units import Unit
from elastic_reasoning.evaluation.work import traces_of
from elastic_reasoning.planning.lengths import Lengths
from elastic_reasoning.planning.models import PlannedModel
from elastic_reasoning.planning.pace import Pace
from elastic_reasoning.planning.simulation import SimulatedEngine
from elastic_reasoning.tasks.task import Problem


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of some records, all as they stand in the records but for `prompt`, which engines read.

    Attributes:
        records: how many there are.
        errors: of these, requests that cannot be run.
        thinking, solution: sampled within each phase.
        sampled: in all, delimiters among them.
        reused: of these, taken from another budget's thinking.
        forced: put in by the strategy.
        prompt: read by the engine.
    """

    records: float = 0
    errors: float = 0
    thinking: float = 0
    solution: float = 0
    sampled: float = 0
    reused: float = 0
    forced: float = 0
    prompt: float = 0

    @property
    def generated(self) -> float:
        """Sampled for these records, and not before."""
        return self.sampled - self.reused

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Tokens)))

    def times(self, factor: float) -> "Tokens":
        """Of so many times the records."""
        return Tokens(*(getattr(self, each.name) * factor for each in fields(self)))

    @classmethod
    def of(cls, trace: Trace, num_prompt: int) -> "Tokens":
        """Of one trace."""
        sampled = [each for each in trace.segments if each.sampled]

        def within(phase: Phase) -> int:
            return sum(len(each.ids) for each in sampled if each.phase is phase)

        return cls(
            records=1,
            errors=trace.error is not None,
            thinking=within(Phase.THINKING),
            solution=within(Phase.SOLUTION),
            sampled=trace.num_spent_tokens,
            reused=trace.num_reused,
            forced=sum(len(each.ids) for each in trace.segments if not each.sampled),
            prompt=num_prompt,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What some problems came to, with all samples under all settings."""

    by_setting: Mapping[tuple[str, Budget], Tokens]
    seconds: float
    num_problems: int
    longest: int
    """Tokens of the longest sequence, its prompt among them."""
    mean_prompt: float
    """Tokens of a prompt, on average over the records."""

    @property
    def total(self) -> Tokens:
        """Of all settings."""
        return sum(self.by_setting.values(), Tokens())

    @property
    def mean_length(self) -> float:
        """Tokens of a sequence, its prompt among them, on average."""
        total = self.total
        return self.mean_prompt + (total.sampled + total.forced) / max(1.0, total.records)

    @property
    def mean_tokens(self) -> float:
        """In the cache of a row, on average over its steps: its prompt and half of what follows."""
        return (self.mean_prompt + self.mean_length) / 2


def count(
    config: SweepConfig,
    problems: Sequence[Problem],
    model: PlannedModel,
    lengths: Lengths,
    pace: Pace,
    rows: int,
    num_problems: int,
) -> Counts:
    """Run some problems of a sweep through a simulated engine.

    Args:
        config: its settings, and whether they share.
        problems: of the sweep.
        model, lengths, pace, rows: of the engine.
        num_problems: as many of them, spread evenly.
    """
    asked = settings(config)
    engine = SimulatedEngine(model.template, model.context, rows, lengths, pace, model.prompt)
    by_setting = dict.fromkeys(((strategy, budget) for strategy, budget, _ in asked), Tokens())
    longest = num_prompts = 0
    for trace in traces_of(config, engine, _units(config, problems, model.name, num_problems)):
        request, num_sampled = trace.request, sum(len(each.ids) for each in trace.segments if each.sampled)
        num_prompt = len(request.prompt.ids) if trace.num_reused < num_sampled or not num_sampled else 0
        num_prompts += len(request.prompt.ids)
        longest = max(longest, len(request.prompt.ids) + sum(len(each.ids) for each in trace.segments))
        by_setting[request.strategy, request.budget] += Tokens.of(trace, num_prompt)
    mean_prompt = num_prompts / max(1, num_problems * config.samples * len(asked))
    return Counts(by_setting, engine.seconds, num_problems, longest, mean_prompt)


def _units(config: SweepConfig, problems: Sequence[Problem], model: str, num_problems: int) -> Iterator[Unit]:
    """Units of problems from all over the split."""
    asked = tuple((sample, setting) for sample in range(config.samples) for setting in settings(config))
    for index in range(num_problems):
        yield Unit(model, problems[index * len(problems) // num_problems], asked)
