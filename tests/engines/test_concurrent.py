import asyncio
from collections.abc import Iterator
from concurrent.futures import wait

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BusyError, EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.concurrent import Answering, LoopThread
from elastic_reasoning.engines.job import Job
from letters import finishes, letters


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread("test")
    yield thread
    thread.close()


def job() -> Job:
    return Job(Walk(Request(Prompt((4,), Thinking.OPEN), Budget(4, 4)), letters()), None, None)


def test_what_an_answer_raises_is_the_exception_of_its_future_alone(thread: LoopThread) -> None:
    async def answer(job: Job) -> None:
        if job is bad:
            raise ConnectionError("the server is gone")

    good, bad = job(), job()
    Answering(answer, thread.loop, 4).submit([good, bad])
    assert good.future.result(10) is good.walk
    assert isinstance(bad.future.exception(10), ConnectionError)


def test_a_loop_is_closed_once_however_often_it_is_asked_and_gives_up_what_is_under_way() -> None:
    thread, begun, one = LoopThread("test"), asyncio.Event(), job()

    async def answer(job: Job) -> None:
        begun.set()
        await asyncio.sleep(1000)

    answering = Answering(answer, thread.loop, 4)
    answering.submit([one])
    asyncio.run_coroutine_threadsafe(begun.wait(), thread.loop).result(10)
    thread.close()
    thread.close()
    assert finishes(one.future.result(10).trace()) == ["abort"]
    assert thread.loop.is_closed()
    with pytest.raises(EngineError, match="the engine is closed"):
        answering.submit([job()])


def test_so_many_are_answered_at_once_so_many_wait_and_no_more(thread: LoopThread) -> None:
    going, most, release = 0, 0, asyncio.Event()

    async def answer(job: Job) -> None:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await release.wait()
        going -= 1

    jobs = [job() for _ in range(5)]
    answering = Answering(answer, thread.loop, concurrency=2, max_waiting=3)
    answering.submit(jobs)
    with pytest.raises(BusyError, match="4 requests would wait, 3 may"):
        answering.submit([job()])
    jobs[-1].walk.interrupt(Finish.STOP)  # one that waits is let go at once
    assert finishes(jobs[-1].future.result(10).trace()) == ["stop"]
    thread.loop.call_soon_threadsafe(release.set)
    wait([job.future for job in jobs], 10)
    assert most == 2
    late = job()
    answering.submit([late])
    assert late.future.result(10) is late.walk
