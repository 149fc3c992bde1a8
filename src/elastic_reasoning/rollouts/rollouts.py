"""Rollouts under the budgets of a plan, from any engine.

This module knows traces, not trainers: `elastic_reasoning.rollouts.rows` makes them into rows to learn from.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from elastic_reasoning.core.request import Request, derived_seed
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Message, Prompt
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine, run
from elastic_reasoning.engines.sharing import share
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.rollouts.plan import Assignment, Plan
from elastic_reasoning.rollouts.scoring import Scored, Scorer
from elastic_reasoning.tasks.task import Problem


def problem_order(num_problems: int, num: int, seed: int) -> list[int]:
    """Which problem is asked `[num]`: pass after pass through all of them, each in an order of its own.

    The order is a function of the seed alone, so that a run which goes on after an interruption asks the same.
    """

    def passes() -> Iterator[int]:
        for number in count():
            yield from random.Random(f"problems {seed} {number}").sample(range(num_problems), num_problems)

    return list(islice(passes(), num))


def roll_out(engine: Engine, problems: Sequence[Problem], plan: Plan, step: int, first_group: int = 0) -> list[Trace]:
    """The rollouts of some prompts of a step: prompt after prompt, sample after sample, cut after cut.

    Draws are keyed by seed, step, prompt and sample, so that a run which goes on after an interruption makes the same
    rollouts, and several processes make those that one would. The cuts of a sample share one thinking: the engine
    thinks once, and answers from each of its beginnings.

    Args:
        engine: what generates.
        problems: what the prompts ask.
        plan: what each is given.
        step: counts from 0.
        first_group: the number of the first prompt within the step.
    """
    config = plan.config
    requests: list[Request] = []
    for group, problem in enumerate(problems, start=first_group):
        cuts = requests_of(
            engine.prompt, problem, plan.assign(step, group), config, derived_seed(plan.seed, step, group)
        )
        requests += [replace(cut, sample=sample) for sample in range(config.samples_per_prompt) for cut in cuts]
    return _answers(engine, requests, shared=config.num_cuts > 1)


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What became of validation problems.

    Attributes:
        num: answers asked for.
        right: answers that are.
        earned: the sum of their rewards; an answer that could not be made or graded earns nothing.
        failed: how many those are.
        error: why, of the first of them.
    """

    num: int
    right: int
    earned: float
    failed: int
    error: str | None


def validate(
    engine: Engine, scorer: Scorer, problems: Sequence[tuple[int, Problem]], plan: Plan, at_once: int
) -> ValidationResult:
    """Ask each problem once at each of the settings that a plan is validated at.

    Args:
        scorer: grades as for a step.
        problems: each with its number, which is its seed: the draws never change.
        at_once: answers that are graded within the time for the rewards of a step.
    """
    asked = [
        (problem, request)
        for number, problem in problems
        for setting in plan.validation()
        for request in requests_of(engine.prompt, problem, setting, plan.config, number)
    ]
    traces = _answers(engine, [request for _, request in asked], shared=True)
    scored: list[Scored] = []
    for start in range(0, len(asked), at_once):
        part = slice(start, start + at_once)
        scored += scorer.score(traces[part], [problem for problem, _ in asked[part]])
    errors = [one.error for one in scored if one.reward is None]
    return ValidationResult(
        num=len(scored),
        right=sum(one.grade is not None and one.grade.correct for one in scored),
        earned=sum(one.reward or 0.0 for one in scored),
        failed=len(errors),
        error=next(iter(errors), None),
    )


def requests_of(
    prompt: Callable[[Sequence[Message]], Prompt],
    problem: Problem,
    assignment: Assignment,
    config: RolloutConfig,
    seed: int,
) -> list[Request]:
    """One request for each budget that a prompt is given.

    Args:
        prompt: chat messages to a prompt, as an engine makes it.
        problem: what is asked.
        assignment: what the prompt is given.
        config: options and temperature.
        seed: the key of the draws.
    """
    strategy = find_strategy(assignment.strategy)
    options, sampling = strategy.restrict(config.options), config.sampling(seed)
    return [
        Request(prompt(strategy.edit(problem.messages, budget)), budget, assignment.strategy, options, sampling)
        for budget in assignment.budgets
    ]


def _answers(engine: Engine, requests: Sequence[Request], shared: bool) -> list[Trace]:
    """The traces in the order of their requests."""
    named = (replace(request, name=str(number)) for number, request in enumerate(requests))
    walks = (Walk(request, engine.template, engine.context) for request in named)
    traces = {int(trace.request.name): trace for trace in (share if shared else run)(engine, walks)}
    return [traces[number] for number in range(len(requests))]
