"""A task of one's own as a JSONL file: mathematics, multiple choice, short text and programs."""

from contextlib import closing
from pathlib import Path

from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task

SOLUTIONS = {
    "sum": r"A common denominator gives \boxed{\frac{10}{12}}.",
    "roots": r"So \boxed{x = 2 \text{ or } x = -2}.",
    "prime": r"Only 23 has no divisor: \boxed{B}",
    "faust": r"That was \boxed{Johann Wolfgang von Goethe}.",
}

with closing(load_task(TaskConfig(str(Path(__file__).with_name("own_task.jsonl"))))) as task:
    for problem in task.problems("test"):
        if problem.id in SOLUTIONS:  # a program is run only after GradingConfig(allow_code_execution=True)
            print(problem.id, task.grade(problem, SOLUTIONS[problem.id]))
