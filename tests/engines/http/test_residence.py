"""An engine that lives in the event loop of a process that serves others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import answer
from elastic_reasoning.engines.scripted import ScriptedEngine
from engines.http.test_engine import answered, parts
from fake_servers import FakeModel, Pace, fake_vllm, serving
from letters import finishes, letters

MODEL = FakeModel(letters(), ends_in_thinking=False)


def requests(num: int) -> list[Request]:
    return [Request(Prompt((5, 6, 7, n % 10 + 4), Thinking.OPEN), Budget(4, 5), name=str(n)) for n in range(num)]


def walks_of(requests: list[Request]) -> list[Walk]:
    return [Walk(request, MODEL.template, MODEL.context) for request in requests]


def test_what_enters_a_loop_has_no_thread_and_tells_there(new_engine: Any) -> None:
    asked = requests(10)
    threads = set[int]()

    async def serve(engine: Any) -> list[Walk]:
        await engine.enter(most_each=64)
        before = threading.active_count()
        walks = [answer(engine, walk, lambda delta: threads.add(threading.get_ident())) for walk in walks_of(asked)]
        done = await asyncio.gather(*walks)
        assert threading.active_count() == before
        await engine.leave()
        return done

    with serving(lambda: fake_vllm(MODEL)) as server:
        done = asyncio.run(serve(new_engine(MODEL.template, server.url)))
    expected = answered(ScriptedEngine(MODEL.script, MODEL.template, MODEL.context), asked)
    assert [parts(walk.trace()) for walk in done] == [parts(trace) for trace in expected]
    assert threads == {threading.get_ident()}


def test_whoever_leaves_a_loop_gives_up_what_is_under_way(new_engine: Any) -> None:
    pace = Pace()
    pace.halt = lambda number: 2

    async def serve(engine: Any) -> list[str]:
        await engine.enter(most_each=64)
        begun = asyncio.Event()
        [future] = engine.submit(walks_of(requests(1)), lambda delta: begun.set())
        await begun.wait()
        [late] = engine.submit(walks_of(requests(1)))
        await engine.leave()
        with pytest.raises(EngineError, match="the engine is closed"):
            engine.submit(walks_of(requests(1)))
        return [finishes(each.result(0).trace())[-1] for each in (future, late)]

    with serving(lambda: fake_vllm(MODEL, pace=pace)) as server:
        assert asyncio.run(serve(new_engine(MODEL.template, server.url))) == ["abort", "abort"]


class Counted:
    """A server that counts what it is asked beside its list of models, and how much of that at once."""

    def __init__(self, model: FakeModel = MODEL, pace: Pace | None = None) -> None:
        self.num_asked = self.num_now = self.most = 0
        self._model, self._pace = model, pace

    def app(self) -> web.Application:
        @web.middleware
        async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
            if request.path == "/v1/models":
                answer: web.StreamResponse = await handler(request)
                return answer
            self.num_asked, self.num_now = self.num_asked + 1, self.num_now + 1
            self.most = max(self.most, self.num_now)
            try:
                answer = await handler(request)
                return answer
            finally:
                self.num_now -= 1

        app = fake_vllm(self._model, pace=self._pace)
        app.middlewares.append(middleware)
        return app


def residing(engine: Any, serve: Callable[[Any], Awaitable[None]], most_each: int = 64) -> None:
    """Have an engine live in a loop while it serves."""

    async def live() -> None:
        await engine.enter(most_each)
        try:
            await serve(engine)
        finally:
            await engine.leave()

    asyncio.run(live())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def hear(delta: object) -> None:
    """A listener, for whom answers are streamed."""


def test_prompts_that_begin_alike_go_to_one_replica(new_engine: Any) -> None:
    copies = Counted(), Counted()
    turns = [Request(Prompt((5, 6, 7, 4) * 5 + (4,) * n, Thinking.OPEN), Budget(4, 5)) for n in range(6)]

    async def serve(engine: Any) -> None:
        for copy in copies:
            copy.num_asked = 0
        for walk in walks_of(turns):
            assert (await answer(engine, walk)).error is None

    with serving(copies[0].app) as one, serving(copies[1].app) as two:
        residing(new_engine(MODEL.template, one.url, two.url), serve)
    assert sorted(copy.num_asked > 0 for copy in copies) == [False, True]


def test_a_replica_has_no_more_requests_than_it_may(new_engine: Any) -> None:
    pace = Pace()
    pace.halt = lambda number: 1
    copies = Counted(pace=pace), Counted(pace=pace)

    async def serve(engine: Any) -> None:
        answers = [asyncio.create_task(answer(engine, walk, hear)) for walk in walks_of(requests(20))]
        await until(lambda: [copy.num_now for copy in copies] == [2, 2])
        pace.release.set()
        assert [walk.error for walk in await asyncio.gather(*answers)] == [None] * 20

    with serving(copies[0].app) as one, serving(copies[1].app) as two:
        residing(new_engine(MODEL.template, one.url, two.url), serve, most_each=2)
    assert [copy.most for copy in copies] == [2, 2]


def test_replicas_are_looked_after_while_nobody_asks(new_engine: Any) -> None:
    with serving(lambda: fake_vllm(MODEL)) as one, serving(lambda: fake_vllm(MODEL)) as two:

        async def serve(engine: Any) -> None:
            _, second = engine.replicas
            await asyncio.to_thread(two.stop)
            await until(lambda: second.is_failing)
            await asyncio.to_thread(two.start)
            await until(lambda: not second.is_failing)

        residing(new_engine(MODEL.template, one.url, two.url), serve)


def test_who_was_away_at_the_start_is_asked_once_it_is_known_to_be_alike(new_engine: Any) -> None:
    models = iter([MODEL, FakeModel(letters(), context=32), MODEL])
    with serving(lambda: fake_vllm(MODEL)) as one, serving(lambda: fake_vllm(next(models))) as two:
        two.stop()

        async def serve(engine: Any) -> None:
            _, second = engine.replicas
            assert not second.is_known
            await asyncio.to_thread(two.start)
            await until(lambda: "context 64 and 32" in str(second.stranger))
            await asyncio.to_thread(two.stop)
            await asyncio.to_thread(two.start)
            await until(lambda: second.is_known)

        residing(new_engine(MODEL.template, one.url, two.url), serve)


def test_replicas_come_and_go_and_no_stream_is_lost(new_engine: Any) -> None:
    pace, late = Pace(), Counted()
    pace.halt = lambda number: 2
    with serving(lambda: fake_vllm(MODEL, pace=pace)) as one, serving(late.app) as two:

        async def serve(engine: Any) -> None:
            begun = asyncio.Event()
            under_way = [engine.submit([walk], lambda delta: begun.set())[0] for walk in walks_of(requests(4))]
            await begun.wait()
            before = engine.replicas
            await engine.replace_urls([two.url])
            late.num_asked = 0
            assert (await answer(engine, walks_of(requests(1))[0], hear)).error is None
            assert late.num_asked
            pace.release.set()
            done = await asyncio.gather(*map(asyncio.wrap_future, under_way))
            assert [walk.error for walk in done] == [None] * 4
            await until(lambda: before[0].http.closed)
            with pytest.raises(EngineError, match="does not answer"):
                await engine.replace_urls(["http://127.0.0.1:1/v1"])
            assert [replica.url for replica in engine.replicas] == [two.url]

        residing(new_engine(MODEL.template, one.url), serve)
