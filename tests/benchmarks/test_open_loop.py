import asyncio
from statistics import mean

import pytest
from open_loop import Answer, Timed, closed_loop, open_loop, poisson, summary


def test_arrivals_are_the_same_for_the_same_seed_and_as_many_a_second_as_asked_for() -> None:
    arrivals = poisson(20.0, 4000, seed=1)
    assert arrivals == poisson(20.0, 4000, seed=1) != poisson(20.0, 4000, seed=2)
    assert arrivals == sorted(arrivals)
    assert 4000 / arrivals[-1] == pytest.approx(20, rel=0.05)


def test_no_request_waits_for_another() -> None:
    async def run() -> list[Timed]:
        last = asyncio.Event()

        async def ask(number: int) -> Answer:
            if number == 2:
                last.set()
            await last.wait()  # the first would wait for ever, if the others came behind it
            return Answer(num_solution=number)

        return await open_loop([0.0, 0.001, 0.002], ask)

    assert [timed.answer.num_solution for timed in asyncio.run(run())] == [0, 1, 2]


def test_clients_of_a_closed_loop_share_the_requests() -> None:
    asked: list[int] = []

    async def ask(number: int) -> Answer:
        asked.append(number)
        await asyncio.sleep(0)
        return Answer()

    assert asyncio.run(closed_loop(10, 3, ask)) > 0
    assert sorted(asked) == list(range(10))


def test_what_was_refused_counts_for_nothing_else() -> None:
    answers = [
        Timed(Answer(8, 4, is_right=True), 1.0),
        Timed(Answer(2, 1, is_whole=False, is_right=False), 2.0),
        Timed(Answer(0, 0), 3.0),
        Timed(Answer(1, 1, error="status 500"), 1.5),
        Timed(Answer(is_refused=True), 0.01),
    ]
    made = summary([0.0, 1.0, 2.0, 3.0, 9.0], answers, 2.0)
    assert (made.num_requests, made.num_refused, made.num_errors, made.num_without_solution) == (5, 1, 1, 1)
    assert (made.in_time, made.whole, made.right) == (0.5, 0.5, 0.5)
    assert (made.mean_thinking, made.mean_solution) == (mean([8, 2, 0, 1]), mean([4, 1, 0, 1]))
    assert made.requests_per_second == pytest.approx(4 / 5)
    assert 2.9 < made.seconds_p99 <= 3.0
    assert summary([0.0], answers[:1], 2.0).seconds_p50 == 1.0
