"""A task of one's own in Python: it yields problems and grades what comes back.

elastic sweep --task examples/own_task.py --models mini --limit 4 --out runs/own
"""

from dataclasses import dataclass

from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.tasks.task import Problem


@dataclass(frozen=True)
class Parity:
    """Whether a number is even; the last word of the solution counts."""

    name: str = "parity"
    note: str = ""  # what a user should know of how it grades

    def problems(self, split, limit=None):
        numbers = {"train": range(1000), "validation": range(1000, 1100), "test": range(1100, 1200)}[split]
        return [self.problem(number) for number in numbers[:limit]]

    def problem(self, number):
        question = {"role": "user", "content": f"Is {number} even? Answer yes or no."}
        return Problem(f"parity-{number}", (question,), "no" if number % 2 else "yes")

    def grade(self, problem, solution):
        answer = (solution.lower().split() or [None])[-1]
        correct = answer == problem.answer
        return Grade(correct, answer, None if correct else "wrong answer" if answer else "no answer")

    def close(self):
        pass


task = Parity()

if __name__ == "__main__":
    for problem in task.problems("test", limit=2):
        print(problem.id, task.grade(problem, "It ends in 0: yes"))
