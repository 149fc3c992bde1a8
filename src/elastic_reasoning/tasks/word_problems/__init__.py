"""English word problems of two to eight steps, for a small model that is to learn to think in sentences.

    task = load_task(TaskConfig("word_problems"))
    problem = task.problems("test", limit=1)[0]
    problem.messages[0]["content"]       # "Ana has 12 apples. ... output the final answer within \\boxed{}."
    next(thoughts(seed=0))               # {"problem": ..., "thinking": ..., "solution": ..., "finished": True}

Problems are drawn (`stories`) from what may happen in a few scenes (`scenes`). The splits are disjoint whatever is
drawn, and with whichever seed. `thoughts` (`thinking`) are the rows that a warm start learns from. Graded as
mathematics.
"""

from itertools import islice

from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.mathematics import math_grading
from elastic_reasoning.tasks.table import TableTask
from elastic_reasoning.tasks.task import Split
from elastic_reasoning.tasks.word_problems.stories import stories
from elastic_reasoning.tasks.word_problems.thinking import thoughts

__all__ = ["SIZES", "TASKS", "load", "thoughts"]

TASKS = ("word_problems",)
SIZES: dict[Split, int] = {"train": 2048, "validation": 256, "test": 512}


def load(task: TaskConfig, grading: GradingConfig) -> TableTask:
    """The task, whose problems are the first of each split.

    Raises:
        TaskError: an option was given that means nothing here.
    """
    refuse_meaningless(task, grading, "grading_workers")
    splits = {split: [story.problem() for story in islice(stories(split), size)] for split, size in SIZES.items()}
    return TableTask(task.name, splits, math_grading(grading))
