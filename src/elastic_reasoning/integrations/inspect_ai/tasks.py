"""Every task of the package as a task of inspect_ai, with its own grader as the scorer.

inspect eval elastic_reasoning/arithmetic --model elastic/mini-e1 -T budget=24+20 -T limit=128
inspect eval elastic_reasoning/custom --model elastic/mini-e1 -M budget=512+256 -T file=problems.jsonl
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import all_tasks, load_task
from elastic_reasoning.tasks.task import Problem, Split
from elastic_reasoning.tasks.task import Task as OurTask

SCORER = "grade"
"""What logs call the graders of our tasks."""
ROLES = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


def register_tasks() -> None:
    """Make each task known to inspect_ai by its name, and `custom` for a file of one's own."""
    for name in all_tasks():
        task(name=name)(_of_package(name))
    task(name="custom")(custom)


def _of_package(name: str) -> Callable[..., Task]:
    def of_package(
        split: str = "test",
        limit: int | None = None,
        samples: int = 1,
        budget: str = "",
        data: str = "",
        release: str = "",
        since: str = "",
        until: str = "",
        allow_code_execution: bool = False,
        sandbox: str = "auto",
        round_to_reference: bool | None = None,
    ) -> Task:
        config = TaskConfig(name, data, release, str(since), str(until))
        grading = GradingConfig(allow_code_execution, sandbox, round_to_reference=round_to_reference)
        return make_task(config, grading, split, limit, samples, budget)

    of_package.__name__ = name
    return of_package


def custom(
    file: str,
    split: str = "test",
    limit: int | None = None,
    samples: int = 1,
    budget: str = "",
    allow_code_execution: bool = False,
    sandbox: str = "auto",
    round_to_reference: bool | None = None,
) -> Task:
    """A task of one's own, from a .jsonl, .parquet or .py file."""
    grading = GradingConfig(allow_code_execution, sandbox, round_to_reference=round_to_reference)
    return make_task(TaskConfig(file), grading, split, limit, samples, budget)


def make_task(
    config: TaskConfig, grading: GradingConfig, split: str, limit: int | None, samples: int, budget: str
) -> Task:
    """A task of inspect_ai from one of ours.

    Args:
        config, grading: which problems, and how they are graded.
        split, limit: of the problems; the first `limit` of them.
        samples: of each problem: inspect_ai's epochs.
        budget: thinking and solution tokens as 24+20, which become `reasoning_tokens` and `max_tokens` and so are
            understood by every provider; what the model was opened with, where empty.

    Raises:
        PrerequisiteError: there is no such task, split or budget, or its grader cannot run.
    """
    try:
        ours = load_task(config, grading)
        problems = ours.problems(cast(Split, split), limit)
        ours.grade(problems[0], "")  # a grader that cannot run, or may not, says so before anything is generated
        tokens = GenerateConfig() if not budget else config_of(Budget.parse(str(budget)))
    except ElasticError as error:
        raise PrerequisiteError(str(error)) from None
    return Task(
        dataset=MemoryDataset([_sample(problem) for problem in problems], name=config.name),
        solver=generate(),
        scorer=graded(ours, {problem.id: problem for problem in problems}),
        config=tokens,
        epochs=samples,
        metadata={"note": ours.note} if ours.note else None,
    )


def config_of(budget: Budget) -> GenerateConfig:
    """A budget in inspect_ai's terms, where `max_tokens` counts thinking and solution together."""
    return GenerateConfig(reasoning_tokens=budget.thinking, max_tokens=budget.total)


def _sample(problem: Problem) -> Sample:
    messages = [ROLES[message["role"]](content=message["content"]) for message in problem.messages]
    return Sample(input=messages, target=problem.answer, id=problem.id)


@scorer(metrics=[accuracy(), stderr()], name=SCORER)  # type: ignore[untyped-decorator]
def graded(ours: OurTask, problems: dict[str, Problem]) -> Scorer:
    """The task's own grader."""

    async def score(state: TaskState, target: Target) -> Score:
        grade = await asyncio.to_thread(ours.grade, problems[str(state.sample_id)], state.output.completion)
        details: dict[str, Any] = {"rule": grade.rule, "unboxed": grade.unboxed, "tallies": grade.tallies}
        value = CORRECT if grade.correct else INCORRECT
        return Score(value=value, answer=grade.answer, explanation=grade.reason, metadata=details)

    return score
