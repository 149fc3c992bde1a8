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
from elastic_reasoning.engines.sharing import follow, share
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.rollouts.plan import Assignment, Plan, exits
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


def roll_out(
    engine: Engine,
    problems: Sequence[Problem],
    plan: Plan,
    step: int,
    groups: Sequence[int] | None = None,
    redraw: int = 0,
) -> list[Trace]:
    """The rollouts of some prompts of a step: prompt after prompt, sample after sample, cut after cut.

    Draws are keyed by seed, step, prompt and sample, so that a run which goes on after an interruption makes the same
    rollouts, and several processes make those that one would. The cuts of a sample share one thinking: the engine
    thinks once, and answers from each of its beginnings. That of the largest budget comes last.

    Args:
        engine: what generates.
        problems: what the prompts ask.
        plan: what each is given.
        step: counts from 0.
        groups: the number of each prompt within the step; from 0 if not given.
        redraw: how often these prompts have been replaced, which is part of the key of the draws.
    """
    config = plan.config
    asked: list[list[Request]] = []
    for group, problem in zip(range(len(problems)) if groups is None else groups, problems, strict=True):
        seed = derived_seed(plan.seed, step, group, *([redraw] if redraw else []))
        cuts = requests_of(engine.prompt, problem, plan.assign(step, group), config, seed)
        asked += [[replace(cut, sample=sample) for cut in cuts] for sample in range(config.samples_per_prompt)]
    if config.plan == "serial" or config.answers_per_cut:
        return _answers_apart(engine, asked, config)
    return _answers(engine, [request for cuts in asked for request in cuts], shared=config.num_cuts > 1)


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


def _answers_apart(engine: Engine, asked: Sequence[Sequence[Request]], config: RolloutConfig) -> list[Trace]:
    """Thinkings that are made once under the largest budget, and answers of their beginnings with draws of their own.

    A thinking that failed has failed in all of its rollouts.
    """
    thoughts = [Walk(cuts[-1], engine.template, engine.context) for cuts in asked]
    _finish(engine, thoughts)
    answers: list[list[Walk]] = []
    for cuts, thought in zip(asked, thoughts, strict=True):
        found = [] if thought.error else _answers_of(thought, cuts, config)
        answers.append([Walk(request, engine.template, engine.context) for request in found])
        for walk in answers[-1]:
            follow(walk, thought)
    _finish(engine, [walk for walks in answers for walk in walks])
    traces: list[Trace] = []
    for walks, thought in zip(answers, thoughts, strict=True):
        others = walks or [thought] * (config.rollouts_per_thinking - 1)
        traces += [walk.trace() for walk in (*others, thought)]
    return traces


def _answers_of(thought: Walk, cuts: Sequence[Request], config: RolloutConfig) -> list[Request]:
    """The requests for all answers of a thinking but its own, which is the last."""
    if config.plan == "serial":
        places = exits(thought.request, config.num_exits, thought.trace().num_thinking_tokens)
        wanted = [replace(thought.request, budget=replace(cuts[-1].budget, thinking=place)) for place in places]
    else:
        wanted = [cut for cut in cuts for _ in range(config.answers_per_cut)][:-1]
    return [
        replace(each, sampling=replace(each.sampling, seed=derived_seed(each.sampling.seed, "answer", number)))
        for number, each in enumerate(wanted)
    ]


def _finish(engine: Engine, walks: Sequence[Walk]) -> None:
    """Bring walks to their ends."""
    for _ in run(engine, walks):
        pass


def _answers(engine: Engine, requests: Sequence[Request], shared: bool) -> list[Trace]:
    """The traces in the order of their requests."""
    named = (replace(request, name=str(number)) for number, request in enumerate(requests))
    walks = (Walk(request, engine.template, engine.context) for request in named)
    traces = {int(trace.request.name): trace for trace in (share if shared else run)(engine, walks)}
    return [traces[number] for number in range(len(requests))]
