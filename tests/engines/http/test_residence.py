"""An engine that lives in the event loop of a process that serves others."""

import asyncio
import threading
from typing import Any

import pytest

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
        await engine.enter()
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
        await engine.enter()
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
