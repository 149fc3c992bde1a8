"""How many tokens and seconds the settings of a sweep come to, on some of its problems: the real walks, simulated.

counts = count(config, problems, model, lengths, pace, rows=64, num_problems=32)
counts.by_setting["elastic", Budget(24, 20)].num_generated, counts.seconds
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.evaluation.config import SweepConfig, settings
from elastic_reasoning.evaluation.units import Unit
from elastic_reasoning.evaluation.work import traces_of
from elastic_reasoning.planning.lengths import Lengths
from elastic_reasoning.planning.models import PlannedModel
from elastic_reasoning.planning.pace import Pace
from elastic_reasoning.planning.simulation import SimulatedEngine
from elastic_reasoning.planning.tokens import Tokens
from elastic_reasoning.tasks.task import Problem


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
    unseen: frozenset[str]
    """Strategies that go by what is said, of which no records tell what that comes to."""

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
    looking = {strategy for strategy, _, options in asked if find_strategy(strategy).goes_by_logprobs(options)}
    longest = num_prompts = 0
    for trace in traces_of(config, engine, _units(config, problems, model.name, num_problems)):
        request, num_sampled = trace.request, sum(len(each.ids) for each in trace.segments if each.sampled)
        num_prompt = len(request.prompt.ids) if trace.num_reused < num_sampled or not num_sampled else 0
        num_prompts += len(request.prompt.ids)
        longest = max(longest, len(request.prompt.ids) + sum(len(each.ids) for each in trace.segments))
        by_setting[request.strategy, request.budget] += Tokens.of(trace, num_prompt)
        if any(each.request.strategy in engine.looking for each in (trace, *trace.branches)):
            looking.add(request.strategy)
    mean_prompt = num_prompts / max(1, num_problems * config.samples * len(asked))
    simulated = sum(tokens.generated for tokens in by_setting.values())
    known = {key for key in by_setting if key in lengths.spent and key[0] in looking}
    by_setting |= {key: lengths.spent[key].like(by_setting[key]) for key in known}
    seconds = engine.seconds * sum(tokens.generated for tokens in by_setting.values()) / max(1.0, simulated)
    unseen = frozenset(strategy for strategy, budget in by_setting.keys() - known if strategy in looking)
    return Counts(by_setting, seconds, num_problems, longest, mean_prompt, unseen)


def _units(config: SweepConfig, problems: Sequence[Problem], model: str, num_problems: int) -> Iterator[Unit]:
    """Units of problems from all over the split."""
    asked = tuple((sample, setting) for sample in range(config.samples) for setting in settings(config))
    for index in range(num_problems):
        yield Unit(model, problems[index * len(problems) // num_problems], asked)
