"""Which strategy and which budgets each prompt of a training run is given.

    plan = Plan(RolloutConfig(plan="random", budgets=("8..96+20",)), num_steps=100, seed=0)
    plan.assign(step=0, group=3)      # Assignment("elastic", (Budget(57, 20),)), the same at every call

A choice depends on the run's seed, the step and the prompt's number within the step: neither on the process that
makes the rollouts nor on whether the run was interrupted.
"""

import random
from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, TrainingError, unknown
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.strategies import names_of
from elastic_reasoning.rollouts.config import RolloutConfig

PLANS = ("fixed", "random", "curriculum", "anytime", "serial")
RANGE = ".."


@dataclass(frozen=True, slots=True)
class BudgetRange:
    """Budgets from `low` to `high`, ends included; one budget where they are equal."""

    low: Budget
    high: Budget

    @classmethod
    def parse(cls, text: str) -> "BudgetRange":
        """Read a budget, or one in which a part is a range: `"8..96+20"`.

        Raises:
            BudgetError: it is neither, or a range is empty.
        """
        ends = [part.split(RANGE) for part in text.split("+")]
        low, high = (Budget.parse("+".join(end[index] for end in ends)) for index in (0, -1))
        for first, last, end in zip(*((b.thinking, b.solution) for b in (low, high)), ends, strict=False):
            if len(end) > 2 or (len(end) == 2 and (first is None or last is None or first > last)):
                raise BudgetError(f"budget {text!r}: write a range as LOW{RANGE}HIGH in tokens, for example 8..96+20")
        return cls(low, high)

    @property
    def exact(self) -> bool:
        """Whether it holds one budget alone."""
        return self.low == self.high

    def draw(self, rng: random.Random) -> Budget:
        """A budget of the range, all alike."""
        return Budget(
            _between(rng, self.low.thinking, self.high.thinking), _between(rng, self.low.solution, self.high.solution)
        )


def _between(rng: random.Random, low: int | None, high: int | None) -> int | None:
    return low if low is None or high is None else rng.randint(low, high)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a prompt is given: several budgets, in ascending order, are the cuts of one thinking."""

    strategy: str
    budgets: tuple[Budget, ...]


class Plan:
    """The choices of a run.

    Args:
        config: strategies, budgets, and how they are chosen.
        num_steps: of the run, over which a curriculum goes through its budgets.
        seed: of the choices, and of the rollouts.

    Raises:
        BudgetError, TrainingError: the budgets do not make such a plan.
    """

    def __init__(self, config: RolloutConfig, num_steps: int, seed: int) -> None:
        self.config = config
        self.num_steps = num_steps
        self.seed = seed
        self.ranges = tuple(BudgetRange.parse(text) for text in config.budgets)
        self.weights = config.weights or (1.0,) * len(self.ranges)
        _check(config, self.ranges)

    def assign(self, step: int, group: int) -> Assignment:
        """What the prompt number `group` of the step `step` is given; both count from 0."""
        config = self.config
        rng = random.Random(f"plan {self.seed} {step} {group}")
        strategy = rng.choice(config.strategies)
        if config.plan == "anytime":
            return Assignment(strategy, tuple(each.low for each in self.ranges))
        if config.plan == "curriculum":
            chosen = self.ranges[min(step * len(self.ranges) // self.num_steps, len(self.ranges) - 1)]
        else:
            chosen = rng.choices(self.ranges, self.weights)[0]
        return Assignment(strategy, (chosen.draw(rng),))

    def validation(self) -> tuple[Assignment, ...]:
        """The settings at which a checkpoint is validated, each once."""
        budgets = [BudgetRange.parse(text) for text in self.config.validation_budgets] or self.ranges
        ends = dict.fromkeys(end for each in budgets for end in (each.low, each.high))
        return tuple(Assignment(strategy, (budget,)) for strategy in self.config.strategies for budget in ends)

    def extremes(self) -> tuple[Assignment, ...]:
        """The ends of every range of the run and of its validation, under each strategy."""
        ends = dict.fromkeys(end for each in self.ranges for end in (each.low, each.high))
        ends_of_run = [Assignment(strategy, (budget,)) for strategy in self.config.strategies for budget in ends]
        return tuple(dict.fromkeys([*ends_of_run, *self.validation()]))

    @property
    def largest(self) -> int | None:
        """The most tokens that a budget of the run asks for, both parts together; `None` for no limit."""
        totals = [each.high.total for each in self.ranges]
        return None if None in totals else max(total for total in totals if total is not None)


def exits(request: Request, num: int, length: int) -> tuple[int, ...]:
    """Where a thinking is cut, in ascending order: places drawn from 1 to its length, all alike, as S-GRPO does.

    Dai et al. 2025, arXiv 2505.07686: P_i ~ Uniform(1, n). The same thinking is always cut at the same places.

    Args:
        request: which has made the thinking; its draws decide.
        num: of places, of which some may be the same.
        length: tokens of the thinking; one of none is cut at 0.
    """
    rng = random.Random(f"exits {request.sampling.seed} {request.sample}")
    return tuple(sorted(rng.randint(min(1, length), length) for _ in range(num)))


def _check(config: RolloutConfig, ranges: tuple[BudgetRange, ...]) -> None:
    if config.plan not in PLANS:
        raise TrainingError(unknown("plan", config.plan, PLANS))
    if not ranges:
        raise TrainingError("budgets: none was given; write at least one, as 24+20")
    if several := set(config.strategies) & {*names_of(lambda strategy: strategy.siblings)}:
        raise TrainingError(
            f"strategies {', '.join(sorted(several))}: several thinkings of a prompt, and a rollout is one completion: "
            "train with another strategy"
        )
    if config.plan in ("fixed", "serial") and (len(ranges) != 1 or not ranges[0].exact):
        raise TrainingError(
            f"plan {config.plan!r} has one budget, not {', '.join(config.budgets)}: give one, "
            "or plan random, curriculum or anytime"
        )
    if config.plan in ("anytime", "serial"):
        _check_cuts(config, ranges)
    if config.answers_per_cut > 0 and config.plan != "anytime":
        raise TrainingError(f"answers_per_cut means nothing to plan {config.plan!r}: leave it out, or use anytime")
    if config.weights:
        _check_weights(config)


def _check_cuts(config: RolloutConfig, ranges: tuple[BudgetRange, ...]) -> None:
    thinking = [float("inf") if each.low.thinking is None else each.low.thinking for each in ranges]
    ascend = len(ranges) > 1 and all(each.exact for each in ranges) and thinking == sorted(set(thinking))
    if config.plan == "anytime" and not ascend:
        raise TrainingError(
            f"plan 'anytime' cuts one thinking at ascending budgets, not at {', '.join(config.budgets)}: "
            "give two or more, as 8+20, 24+20, 96+20"
        )
    cuts = names_of(lambda strategy: strategy.cuts)
    if set(config.strategies) - set(cuts):
        raise TrainingError(
            f"plan {config.plan!r} needs strategy {' or '.join(cuts)}, not {', '.join(config.strategies)}"
        )


def _check_weights(config: RolloutConfig) -> None:
    if config.plan not in ("random", "anytime"):
        raise TrainingError(f"weights mean nothing to plan {config.plan!r}: leave them out, or use random or anytime")
    numbers = all(0 <= weight < float("inf") for weight in config.weights)
    if len(config.weights) != len(config.budgets) or not numbers or not any(config.weights):
        raise TrainingError(
            f"weights {list(config.weights)}: give a number for each of {len(config.budgets)} budgets, 0 or more, "
            "and not 0 for all"
        )
