"""Rewards of a step's rollouts, in bounded time, whatever the task's grading does.

    scorer = Scorer(task, RewardConfig({"correct": 1.0}))
    for scored in scorer.score(traces, problems): scored.reward

What is graded is what evaluation grades: the text of the solution, by the task's own `grade`.
"""

import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.rollouts.config import RewardConfig
from elastic_reasoning.rollouts.rewards import find_reward
from elastic_reasoning.tasks.task import Problem, Task

Jobs = deque[tuple[int, Trace, Problem, str]]
"""The place of a rollout, the rollout, what it answers, and its solution."""
STALL = 0.1
"""The share of the time for a step's rewards in which there should be at least one; else more threads are started."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A rollout and what it earned.

    Attributes:
        trace: the rollout.
        grade: `None` where the rollout failed, or was not graded in time.
        reward: the weighted sum of the run's rewards; `None` exactly where there is no grade.
        error: why there is none.
    """

    trace: Trace
    grade: Grade | None
    reward: float | None
    error: str | None


def decayed(scored: Sequence[Scored], num_cuts: int, decay: float) -> list[Scored]:
    """Rollouts of which a right answer earns less for each right one at an earlier cut of the same thinking.

    The k-th right answer of a thinking, counted from 0, has its reward times decay^k. With decay 1/2 and the reward
    1 for a right answer this is S-GRPO's 2^-(N_right - 1), where N_right counts the answer too. Dai et al. 2025, arXiv
    2505.07686.

    Args:
        scored: thinking after thinking, cut after cut.
        num_cuts: of each thinking.
        decay: from 0 (the earliest right answer alone earns) to 1 (none).
    """
    found: list[Scored] = []
    for start in range(0, len(scored), num_cuts):
        num_right = 0
        for one in scored[start : start + num_cuts]:
            if one.reward is None or one.grade is None or not one.grade.correct:
                found.append(one)
                continue
            found.append(replace(one, reward=one.reward * decay**num_right))
            num_right += 1
    return found


class Scorer:
    """Grades rollouts in threads, and says what they earn.

    A call takes at most `timeout_seconds`. A grade that is not there by then is abandoned: its thread goes on,
    but neither the next call nor the end of the program waits for it. Only code that never lets go of the interpreter,
    such as an exploding regular expression, cannot be left behind so: a grader that may do that needs processes.

    Args:
        task: whose problems the rollouts answer.
        config: the rewards, and the time for those of a call.
        num_workers: threads that grade at first; 0 for as many as there are cores.

    Raises:
        TrainingError: a reward is not known, or is none.
    """

    def __init__(self, task: Task, config: RewardConfig, num_workers: int = 0) -> None:
        self._task, self._config = task, config
        self._rewards = [(weight, find_reward(name)) for name, weight in config.rewards.items()]
        self._num_workers = num_workers or os.cpu_count() or 1

    def score(self, traces: Sequence[Trace], problems: Sequence[Problem]) -> list[Scored]:
        """What each rollout earned, in order.

        Args:
            traces: rollouts; one with an error is not graded.
            problems: what each of them answers.
        """
        seconds = self._config.reward_timeout_seconds
        deadline = time.monotonic() + seconds
        scored = [Scored(trace, None, None, trace.error or f"no reward within {seconds:g} seconds") for trace in traces]
        jobs: Jobs = deque(
            (number, trace, problem, trace.solution_text)
            for number, (trace, problem) in enumerate(zip(traces, problems, strict=True))
            if trace.error is None
        )
        try:
            self._grade(jobs, scored, deadline)
        finally:
            jobs.clear()  # threads that were left behind find nothing more to do
        return scored

    def _grade(self, jobs: Jobs, scored: list[Scored], deadline: float) -> None:
        """Put in what is graded, until all is or the time is up.

        Grades that hang would hold every thread, and with them the rewards of all others: where none comes for a
        while, there are more threads.
        """
        done: SimpleQueue[tuple[int, Scored]] = SimpleQueue()
        patience = STALL * self._config.reward_timeout_seconds
        num_left = len(jobs)
        while num_left and time.monotonic() < deadline:
            for _ in range(self._num_workers):
                if jobs:  # the first may have done them all by now
                    Thread(target=self._work, args=(jobs, done), name="reward", daemon=True).start()
            with suppress(Empty):
                while num_left:
                    left = max(0.0, deadline - time.monotonic())
                    number, found = done.get(timeout=min(patience, left))
                    scored[number] = found
                    num_left -= 1

    def _work(self, jobs: Jobs, done: SimpleQueue[tuple[int, Scored]]) -> None:
        with suppress(IndexError):
            while True:
                number, trace, problem, solution = jobs.popleft()
                done.put((number, self._scored(trace, problem, solution)))

    def _scored(self, trace: Trace, problem: Problem, solution: str) -> Scored:
        try:
            grade = self._task.grade(problem, solution)
            reward = sum(weight * earned(trace, grade, self._config.constants) for weight, earned in self._rewards)
        except GradingError as error:
            why = str(error)
        except BaseException as error:  # whatever a task of one's own does, sys.exit() too, ends no thread unnoticed
            why = f"{type(error).__name__}: {error}"
        else:
            return Scored(trace, grade, reward, None)
        return Scored(trace, None, None, f"not graded: {' '.join(why.split())}")

    def close(self) -> None:
        """End what grading has started, such as worker processes: this closes the task."""
        self._task.close()
