"""Open-loop load: requests come when they come, whether those before them have their answers or not.

    arrivals = poisson(rate=12.0, num_requests=300, seed=0)
    answers = asyncio.run(open_loop(arrivals, ask))
    summary(arrivals, answers, deadline_seconds=2.0).in_time

A request's time counts from when it was due, so that a client that falls behind hides nothing.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import mean, quantiles


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    Attributes:
        num_thinking, num_solution: tokens that were sampled, ends of sequence not among them.
        is_whole: whether the solution ended by itself or by its tokens, and not by time.
        is_refused: whether it was refused at once.
        is_right: whether the answer is right, where it was graded.
        is_kept: whether the server says that the deadline was kept, where it does.
        error: what went wrong.
    """

    num_thinking: int = 0
    num_solution: int = 0
    is_whole: bool = True
    is_refused: bool = False
    is_right: bool | None = None
    is_kept: bool | None = None
    error: str = ""


Ask = Callable[[int], Awaitable[Answer]]
"""Sends the request of this number and waits for all of its answer."""


@dataclass(frozen=True)
class Timed:
    """An answer, and the seconds from when its request was due until it was complete."""

    answer: Answer
    seconds: float


@dataclass(frozen=True)
class Summary:
    """One line of a table; shares are of what was admitted, seconds and tokens likewise.

    Attributes:
        in_time: complete by the deadline, and without an error.
        num_without_solution: complete or not, with no token of a solution.
        kept: the server says that the deadline was kept; `None` where it says nothing of it.
        whole: the solution was not cut by time.
        right: the answer is right; `None` where nothing was graded.
        requests_per_second: admitted, from the first arrival to the last answer.
    """

    num_requests: int
    num_refused: int
    num_errors: int
    in_time: float
    kept: float | None
    num_without_solution: int
    whole: float
    right: float | None
    seconds_p50: float
    seconds_p99: float
    mean_thinking: float
    mean_solution: float
    requests_per_second: float


def poisson(rate: float, num_requests: int, seed: int) -> list[float]:
    """Arrivals in seconds from the beginning, `rate` of them a second."""
    draw, at, arrivals = random.Random(seed), 0.0, []
    for _ in range(num_requests):
        at += draw.expovariate(rate)
        arrivals.append(at)
    return arrivals


async def open_loop(arrivals: Sequence[float], ask: Ask) -> list[Timed]:
    """Send each request at its time; the answers, in the order of the arrivals."""
    start = time.perf_counter()

    async def send(number: int, at: float) -> Timed:
        await asyncio.sleep(max(0.0, start + at - time.perf_counter()))
        answer = await ask(number)
        return Timed(answer, time.perf_counter() - start - at)

    return await asyncio.gather(*(send(number, at) for number, at in enumerate(arrivals)))


async def closed_loop(num_requests: int, num_clients: int, ask: Ask) -> float:
    """So many clients, each of which asks again when it has its answer: the requests a second that can be had."""
    start, numbers = time.perf_counter(), iter(range(num_requests))

    async def client() -> None:
        for number in numbers:
            await ask(number)

    await asyncio.gather(*(client() for _ in range(num_clients)))
    return num_requests / (time.perf_counter() - start)


def summary(arrivals: Sequence[float], answers: Sequence[Timed], deadline_seconds: float) -> Summary:
    """What became of all of them; at least one must have been admitted."""
    admitted = [timed for timed in answers if not timed.answer.is_refused]
    graded = [timed.answer.is_right for timed in admitted if timed.answer.is_right is not None]
    kept = [timed.answer.is_kept for timed in admitted if timed.answer.is_kept is not None]
    seconds = sorted(timed.seconds for timed in admitted)
    ends = [at + timed.seconds for at, timed in zip(arrivals, answers, strict=True) if not timed.answer.is_refused]
    return Summary(
        num_requests=len(answers),
        num_refused=len(answers) - len(admitted),
        num_errors=sum(bool(timed.answer.error) for timed in admitted),
        in_time=mean(timed.seconds <= deadline_seconds and not timed.answer.error for timed in admitted),
        kept=mean(kept) if kept else None,
        num_without_solution=sum(timed.answer.num_solution == 0 for timed in admitted),
        whole=mean(timed.answer.is_whole and timed.answer.num_solution > 0 for timed in admitted),
        right=mean(graded) if graded else None,
        seconds_p50=_quantile(seconds, 50),
        seconds_p99=_quantile(seconds, 99),
        mean_thinking=mean(timed.answer.num_thinking for timed in admitted),
        mean_solution=mean(timed.answer.num_solution for timed in admitted),
        requests_per_second=len(admitted) / (max(ends) - arrivals[0]),
    )


def _quantile(values: Sequence[float], percent: int) -> float:
    return values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[percent - 1]
