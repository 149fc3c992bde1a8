"""What a run learns from, and what its checkpoints are validated on.

The two have no problem in common, and neither has one with the test set: a checkpoint that was selected on the test
set says nothing of it.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b

from elastic_reasoning.core.errors import GradingError, TaskError, TrainingError
from elastic_reasoning.core.template import Message
from elastic_reasoning.tasks.task import Problem, Task
from elastic_reasoning.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Data:
    """A task with its problems.

    Attributes:
        training: to learn from, those left out that are too long.
        num_too_long: how many those are.
        validation: to select a checkpoint by, those left out that are too long.
    """

    task: Task
    training: list[Problem]
    num_too_long: int
    validation: list[Problem]

    @property
    def digest(self) -> str:
        """A hash of all problems, in their order."""
        texts = [[p.id, _text(p), p.answer] for p in (*self.training, *self.validation)]
        return blake2b(json.dumps(texts).encode(), digest_size=16).hexdigest()


def load_data(config: TrainConfig, task: Task, num_tokens: Callable[[Sequence[Message]], int]) -> Data:
    """The problems of a run.

    Args:
        config: the run.
        task: what the run learns from.
        num_tokens: tokens of the prompt of chat messages.

    Raises:
        TaskError: the task has no such split, or its problems cannot be read.
        TrainingError: a validation problem is also a test or training problem, the task cannot be graded here, or
            every problem is too long.
    """
    problems, validation = read_problems(task, config.num_problems, config.num_validation_problems)
    _check_gradable(task, [*problems, *validation])
    limit = config.max_prompt_tokens

    def short(problem: Problem) -> bool:
        return limit is None or num_tokens(problem.messages) <= limit

    kept, validated = ([p for p in split if short(p)] for split in (problems, validation))
    for split, left in (("training", kept), ("validation", validated)):
        if not left:
            raise TrainingError(f"max_prompt_tokens {limit}: all {split} problems are longer; raise it")
    return Data(task, kept, len(problems) - len(kept), validated)


def read_problems(
    task: Task, num_problems: int | None, num_validation_problems: int
) -> tuple[list[Problem], list[Problem]]:
    """The first problems to learn from (all of them for `None`), and the first to be validated on.

    Raises:
        TaskError: the task has no such split, or its problems cannot be read.
        TrainingError: a validation problem is also a test or training problem.
    """
    problems = task.problems("train")[:num_problems]
    validation = task.problems("validation")[:num_validation_problems]
    _check_disjoint(validation, problems, "training")
    with suppress(TaskError):  # it has no test split
        _check_disjoint(validation, task.problems("test"), "test")
    return problems, validation


def _check_gradable(task: Task, problems: Sequence[Problem]) -> None:
    """Find out before anything is generated whether the task's graders run here, one problem for each kind.

    Raises:
        TrainingError: one does not, such as programs that may not be run.
    """
    kinds = {str(problem.data.get("grader")): problem for problem in problems}
    for problem in kinds.values():
        try:
            task.grade(problem, "```\n```")
        except GradingError as error:
            raise TrainingError(f"problem {problem.id} cannot be graded: {error}") from error


def _check_disjoint(validation: Sequence[Problem], others: Sequence[Problem], split: str) -> None:
    asked = {_text(problem) for problem in others}
    shared = [problem.id for problem in validation if _text(problem) in asked]
    if shared:
        raise TrainingError(
            f"{len(shared)} of {len(validation)} validation problems are {split} problems too, {shared[0]} for one: "
            "a checkpoint is selected on problems of its own; move them to one split"
        )


def _text(problem: Problem) -> str:
    return " ".join(" ".join(message["content"] for message in problem.messages).split())
