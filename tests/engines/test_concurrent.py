import asyncio
from collections.abc import Iterator

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.concurrent import LoopThread, start
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
    start([good, bad], answer, thread.loop)
    assert good.future.result(10) is good.walk
    assert isinstance(bad.future.exception(10), ConnectionError)


def test_a_loop_is_closed_once_however_often_it_is_asked_and_gives_up_what_is_under_way() -> None:
    thread, begun, one = LoopThread("test"), asyncio.Event(), job()

    async def answer(job: Job) -> None:
        begun.set()
        await asyncio.sleep(1000)

    start([one], answer, thread.loop)
    asyncio.run_coroutine_threadsafe(begun.wait(), thread.loop).result(10)
    thread.close()
    thread.close()
    assert finishes(one.future.result(10).trace()) == ["abort"]
    assert thread.loop.is_closed()
