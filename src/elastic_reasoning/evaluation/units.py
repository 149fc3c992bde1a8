"""A sweep as units of work: all that one model is still to be asked about one problem.

    plan = Plan(config, problems, settings(config))
    for unit in plan.units("mini", done):
        ...

What belongs to a problem stays together, as its samples and budgets share prompts and thinking. A unit can be sent to
another machine: it names what is asked and holds the problem, and leans on no file.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace

from elastic_reasoning.evaluation.config import Asking, SweepConfig
from elastic_reasoning.records.record import Key
from elastic_reasoning.tasks.task import Problem


@dataclass(frozen=True, slots=True)
class Unit:
    """What one model is asked about one problem.

    Attributes:
        model: its name.
        problem: what is asked.
        asked: (sample, setting) of every record to make; samples outside, so that settings can share.
    """

    model: str
    problem: Problem
    asked: tuple[tuple[int, Asking], ...]

    @property
    def keys(self) -> list[Key]:
        """Those of the records to make."""
        return [
            (self.model, strategy, str(budget), self.problem.id, sample) for sample, (strategy, budget, _) in self.asked
        ]

    def lacking(self, done: Set[Key]) -> "Unit":
        """What of it has no record yet."""
        left = tuple(what for key, what in zip(self.keys, self.asked, strict=True) if key not in done)
        return replace(self, asked=left)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep measures, resolved.

    Attributes:
        config: of the sweep.
        problems: all that are asked, in order.
        settings: all that each model is asked under.
    """

    config: SweepConfig
    problems: list[Problem]
    settings: list[Asking]

    def units(self, model: str, done: Set[Key]) -> Iterator[Unit]:
        """The units of a model that lack a record, each with what it lacks; `done` may grow meanwhile."""
        return (left for unit in self._all(model) if (left := unit.lacking(done)).asked)

    def num_done(self, model: str, done: Set[Key]) -> int:
        """How many of a model's records there are; others in the folder were asked for at another time."""
        return sum(key in done for unit in self._all(model) for key in unit.keys)

    @property
    def num_each(self) -> int:
        """Records that each model will have."""
        return len(self.settings) * len(self.problems) * self.config.samples

    def _all(self, model: str) -> Iterator[Unit]:
        asked = tuple((sample, setting) for sample in range(self.config.samples) for setting in self.settings)
        return (Unit(model, problem, asked) for problem in self.problems)
