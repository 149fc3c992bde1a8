"""Grades of many solutions, given while others are still being written.

for trace, grade in graded(task, problems, traces, num_workers=4): ...
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from elastic_reasoning.core.errors import GradingError, MachineError
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.tasks.task import Problem, Task

AHEAD = 64
"""Solutions that may wait for each worker: what is generated further is held back."""

Item = TypeVar("Item")
Verdict = Grade | GradingError | None
"""A grade, why there is none, or nothing where there was nothing to grade."""


def graded(
    task: Task, problems: Mapping[str, Problem], traces: Iterable[Trace], num_workers: int = 0
) -> Iterator[tuple[Trace, Verdict]]:
    """Each trace with its grade, in the order in which grades are ready; one with an error has none.

    Args:
        task: what grades.
        problems: by the name of the trace's request.
        traces: taken as long as not too many wait for a grade.
        num_workers: threads that call the task; 0 for as many as there are cores.
    """

    def grade_of(trace: Trace) -> Callable[[], Verdict]:
        if trace.error is not None:
            return lambda: None
        problem, solution = problems[trace.request.name], trace.solution_text
        return lambda: task.grade(problem, solution)

    return in_threads(((trace, grade_of(trace)) for trace in traces), num_workers)


def in_threads(
    work: Iterable[tuple[Item, Callable[[], Verdict]]], num_workers: int = 0
) -> Iterator[tuple[Item, Verdict]]:
    """Run each piece of work in a thread; (item, verdict) come as they are done.

    A solution that a grader cannot grade is one that has no grade, and the others are graded all the same. Any other
    error is raised here, that of a machine which fails the grader too: the same work is whole once it is mended. What
    has not begun by then, or when the caller stops, is not begun.
    """
    num_workers = num_workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="grading")
    waiting: dict[Future[Verdict], Item] = {}
    try:
        for item, call in work:
            waiting[pool.submit(call)] = item
            if len(waiting) >= AHEAD * num_workers:
                wait(waiting, return_when=FIRST_COMPLETED)
            for future in [future for future in waiting if future.done()]:
                yield waiting.pop(future), _verdict(future)
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), _verdict(future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _verdict(future: Future[Verdict]) -> Verdict:
    try:
        return future.result()
    except MachineError:
        raise
    except GradingError as error:
        return error
