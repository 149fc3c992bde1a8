"""Replicas that come and go while a sweep is under way."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.engines.engine import answer, generate
from elastic_reasoning.engines.http.client import SESSION_HEADER
from elastic_reasoning.engines.http.routing import session_of
from elastic_reasoning.engines.scripted import ScriptedEngine
from engines.http.test_engine import answered, parts
from engines.http.test_residence import MODEL, Counted, hear, requests, residing, until, walks_of
from fake_servers import FakeModel, Pace, Running, fake_vllm, serving
from letters import letters

MANY = 5000


def listed(path: Path, *servers: Running) -> str:
    path.write_text("\n".join(server.url for server in servers))
    return f"file:{path}"


def test_a_sweep_goes_on_with_the_servers_of_its_list(new_engine: Any, tmp_path: Path) -> None:
    copies = Counted(), Counted()
    with serving(copies[0].app) as one, serving(copies[1].app) as two:
        servers = tmp_path / "servers.txt"
        engine = new_engine(MODEL.template, listed(servers, one), concurrency=4)
        asked = requests(MANY)
        traces = generate(engine, asked)
        done = [next(traces)]
        listed(servers, two)
        num_before = None
        for trace in traces:
            done.append(trace)
            if [replica.url for replica in engine.replicas] == [two.url]:
                num_before = copies[1].num_asked if num_before is None else num_before
                if copies[1].num_asked > num_before + 10:
                    break
        traces.close()  # type: ignore[attr-defined]
    assert num_before is not None
    assert copies[1].num_asked > num_before, "no request went to the server that was added"
    by_name = {trace.request.name: parts(trace) for trace in done}
    expected = answered(ScriptedEngine(MODEL.script, MODEL.template, MODEL.context), asked[: len(done) + 8])
    assert len(by_name) == len(done)
    assert by_name.items() <= {trace.request.name: parts(trace) for trace in expected}.items()


def test_who_leaves_the_list_ends_what_it_has_and_a_list_that_is_wrong_changes_nothing(
    new_engine: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pace, late = Pace(), Counted()
    pace.halt = lambda number: 2
    servers = tmp_path / "servers.txt"
    with serving(lambda: fake_vllm(MODEL, pace=pace)) as one, serving(late.app) as two:

        async def serve(engine: Any) -> None:
            under_way = asyncio.create_task(answer(engine, walks_of(requests(1))[0], hear))
            await until(pace.halted.is_set)
            before = engine.replicas
            servers.write_text("what is this")
            await until(lambda: "write it as http" in caplog.text)
            assert engine.replicas is before
            listed(servers, two)
            await until(lambda: [replica.url for replica in engine.replicas] == [two.url])
            late.num_asked = 0
            assert (await answer(engine, walks_of(requests(1))[0], hear)).error is None
            assert late.num_asked
            pace.release.set()
            assert (await under_way).error is None
            await until(lambda: before[0].http.closed)

        residing(new_engine(MODEL.template, listed(servers, one)), serve)
    assert caplog.text.count("the servers stay as they were") == 1


def test_who_leaves_the_list_and_dies_is_asked_no_more(new_engine: Any, tmp_path: Path) -> None:
    """What is under way there goes on elsewhere, from the ids that stand."""
    pace = Pace()
    pace.halt = lambda number: 2
    servers = tmp_path / "servers.txt"
    [asked] = requests(1)
    with serving(lambda: fake_vllm(MODEL, pace=pace)) as one, serving(lambda: fake_vllm(MODEL)) as two:

        async def serve(engine: Any) -> None:
            under_way = asyncio.create_task(answer(engine, walks_of([asked])[0], hear))
            await until(pace.halted.is_set)
            listed(servers, two)
            await until(lambda: [replica.url for replica in engine.replicas] == [two.url])
            await asyncio.to_thread(one.stop)
            [expected] = answered(ScriptedEngine(MODEL.script, MODEL.template, MODEL.context), [asked])
            assert parts((await under_way).trace()) == parts(expected)

        residing(new_engine(MODEL.template, listed(servers, one)), serve)


def test_who_was_away_joins_a_sweep_and_who_is_another_does_not(new_engine: Any) -> None:
    joins, differs = Counted(), Counted(FakeModel(letters(), context=32))
    with serving(lambda: fake_vllm(MODEL)) as one, serving(joins.app) as two, serving(differs.app) as three:
        two.stop()
        three.stop()
        engine = new_engine(MODEL.template, one.url, two.url, three.url, concurrency=4)
        two.start()
        three.start()
        prompts = (Prompt((5, 6, n // 10 % 10 + 4, n % 10 + 4), Thinking.OPEN) for n in range(MANY))
        traces = generate(engine, [Request(prompt, Budget(4, 5), name=str(n)) for n, prompt in enumerate(prompts)])
        for _ in traces:
            if joins.num_asked > 100:
                break
        traces.close()  # type: ignore[attr-defined]
        assert [replica.is_known for replica in engine.replicas] == [True, True, False]
        assert "context 64 and 32" in engine.replicas[2].stranger


def test_there_must_be_a_server_at_the_start(new_engine: Any, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"servers\.txt is empty"):
        new_engine(MODEL.template, listed(tmp_path / "servers.txt"))


@pytest.fixture
def named() -> Iterator[tuple[Running, dict[str, set[tuple[int, ...]]]]]:
    """A server, and what prompts it was asked for under which session."""
    sessions: dict[str, set[tuple[int, ...]]] = {}

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path == "/v1/completions":
            name = request.headers.get(SESSION_HEADER, "")
            sessions.setdefault(name, set()).add(tuple((await request.json())["prompt"]))
        answer: web.StreamResponse = await handler(request)
        return answer

    def app() -> web.Application:
        made = fake_vllm(MODEL)
        made.middlewares.append(note)
        return made

    with serving(app) as server:
        yield server, sessions


@pytest.mark.parametrize("listens", [False, True])
def test_a_router_is_told_what_belongs_together(listens: bool, named: Any, new_engine: Any) -> None:
    """The calls of a request and the samples of a problem have one name, which does not tell what is asked."""
    server, sessions = named
    prompts = [(5, 6, 7, 4), (5, 6, 7, 8)]
    asked = [
        Request(Prompt(ids, Thinking.OPEN), Budget(t, 5), sample=n) for ids in prompts for n in (0, 1) for t in (2, 4)
    ]
    engine = new_engine(MODEL.template, server.url)
    sessions.clear()
    futures = engine.submit(walks_of(asked), hear if listens else None)
    assert [future.result().error for future in futures] == [None] * 8
    assert sessions.keys() == {session_of(ids) for ids in prompts}
    for ids in prompts:
        assert {asked[:4] for asked in sessions[session_of(ids)]} == {ids}
