"""Rollouts under a budget, as rows that any trainer can learn from.

This module knows traces, not trainers: the adapter to TRL is `elastic_reasoning.training.grpo`.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from elastic_reasoning.engines.engine import Engine, generate, new_request
from elastic_reasoning.errors import TrainingError
from elastic_reasoning.request import Request, derived_seed
from elastic_reasoning.tasks.task import Problem, Task
from elastic_reasoning.template import Message
from elastic_reasoning.trace import Trace
from elastic_reasoning.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Rows:
    """Rollouts as lists, row by row.

    Attributes:
        prompt_ids: `[rows][prompt]`.
        completion_ids: `[rows][completion]`.
        sampled_mask: 1 for sampled tokens, 0 for forced ones, which never enter a loss `[rows][completion]`.
        logprobs: as sampled, 0.0 for forced tokens `[rows][completion]`; `None` where the engine gave none.
    """

    prompt_ids: list[list[int]]
    completion_ids: list[list[int]]
    sampled_mask: list[list[int]]
    logprobs: list[list[float]] | None


def as_rows(traces: Sequence[Trace]) -> Rows:
    """Traces to training rows.

    Raises:
        TrainingError: a trace has an error; there is nothing to learn from it.
    """
    _refuse_errors(traces)
    logprobs = [trace.logprobs for trace in traces]
    return Rows(
        prompt_ids=[list(trace.request.prompt.ids) for trace in traces],
        completion_ids=[list(trace.ids) for trace in traces],
        sampled_mask=[[int(sampled) for sampled in trace.sampled_mask] for trace in traces],
        logprobs=None if any(row is None for row in logprobs) else [list(row or ()) for row in logprobs],
    )


def problem_order(num_problems: int, num: int, seed: int) -> list[int]:
    """Which problem is asked `[num]`: pass after pass through all of them, each in an order of its own.

    The order is a function of the seed alone, so that a run which goes on after an interruption asks the same.
    """

    def passes() -> Iterator[int]:
        for number in count():
            yield from random.Random(f"problems {seed} {number}").sample(range(num_problems), num_problems)

    return list(islice(passes(), num))


def roll_out(engine: Engine, prompts: Sequence[Sequence[Message]], config: TrainConfig, step: int) -> list[Trace]:
    """One completion for each prompt, in order.

    Args:
        engine: what generates.
        prompts: chat messages, each prompt repeated `samples_per_prompt` times in a row.
        config: strategy, budget, sampling and seed.
        step: the optimizer step; with prompt and sample it is the key of every draw, so that a run which goes on
            after an interruption makes the same rollouts.
    """
    requests: list[Request] = []
    for group, messages in enumerate(prompts[:: config.samples_per_prompt]):
        first = _request(engine, messages, config, derived_seed(config.seed, step, group))
        requests += [replace(first, sample=sample) for sample in range(config.samples_per_prompt)]
    return _answers(engine, requests)


def validate(engine: Engine, task: Task, problems: Sequence[Problem], config: TrainConfig) -> float:
    """Share of problems solved with one sample each, under training's strategy and budget; the draws never change.

    Raises:
        TrainingError: a problem cannot be asked.
    """
    requests = [_request(engine, problem.messages, config, seed) for seed, problem in enumerate(problems)]
    traces = _answers(engine, requests)
    _refuse_errors(traces)
    grades = [task.grade(problem, trace.solution_text) for problem, trace in zip(problems, traces, strict=True)]
    return sum(grade.correct for grade in grades) / len(grades)


def _request(engine: Engine, messages: Sequence[Message], config: TrainConfig, seed: int) -> Request:
    sampling = replace(config.sampling, seed=seed)
    return new_request(engine, messages, config.budget, config.strategy, config.options, sampling)


def _answers(engine: Engine, requests: Sequence[Request]) -> list[Trace]:
    """The traces in the order of their requests."""
    named = (replace(request, name=str(number)) for number, request in enumerate(requests))
    traces = {int(trace.request.name): trace for trace in generate(engine, named)}
    return [traces[number] for number in range(len(requests))]


def _refuse_errors(traces: Sequence[Trace]) -> None:
    for trace in traces:
        if trace.error is not None:
            raise TrainingError(f"a rollout could not be made: {trace.error}")


def rollout_metrics(traces: Sequence[Trace]) -> dict[str, float]:
    """Means over the rollouts of a step: tokens of each phase, and how often the budget was felt."""
    num = len(traces)
    return {
        "thinking_tokens": sum(trace.num_thinking_tokens for trace in traces) / num,
        "solution_tokens": sum(trace.num_solution_tokens for trace in traces) / num,
        "sampled_tokens": sum(trace.num_sampled_tokens for trace in traces) / num,
        "forced_rate": sum(trace.forced_close for trace in traces) / num,
        "cut_rate": sum(trace.solution_cut for trace in traces) / num,
    }
