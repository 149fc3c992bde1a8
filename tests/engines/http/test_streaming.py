"""Tokens as they come: whatever the server speaks, wherever a stream breaks off, whenever somebody interrupts."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import INTERRUPTS, Finish
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.scripted import ScriptedEngine
from engines.http.test_engine import TEMPLATES, answered, parts, requests_of
from fake_servers import FakeModel, Pace, fake_llama_cpp, fake_openai, fake_sglang, fake_vllm, serving
from letters import finishes, letters, put_together

Fake = Callable[[FakeModel, Pace], web.Application]
FAKES: dict[str, Fake] = {
    "vllm": lambda model, pace: fake_vllm(model, pace=pace),
    "plug-in": lambda model, pace: fake_vllm(model, plug_in=True, pace=pace),
    "sglang": lambda model, pace: fake_sglang(model, pace=pace),
    "sglang, new ids alone": lambda model, pace: fake_sglang(model, new_alone=True, pace=pace),
    "sglang, plug-in": lambda model, pace: fake_sglang(model, plug_in=True, pace=pace),
    "sglang, plug-in, new ids alone": lambda model, pace: fake_sglang(model, plug_in=True, new_alone=True, pace=pace),
    "sglang, trims": lambda model, pace: fake_sglang(model, trims=True, pace=pace),
    "llama.cpp": lambda model, pace: fake_llama_cpp(model, pace=pace),
    "llama.cpp, loses ids": lambda model, pace: fake_llama_cpp(model, lost=[13], pace=pace),
}
every_fake = pytest.mark.parametrize("fake", FAKES.values(), ids=FAKES)
random_tries = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def model_of(name: str) -> FakeModel:
    # A processor cannot discard an end of sequence: here the model has none in thinking.
    return FakeModel(TEMPLATES[name], ends_in_thinking=False, logprobs="processed")


def listened(engine: OpenAIEngine, requests: list[Request]) -> list[Trace]:
    """Traces of walks that somebody listens to, who was told all of them once."""
    walks = [Walk(request, engine.template, engine.context) for request in requests]
    heard: list[list[Delta]] = [[] for _ in walks]
    futures = [engine.submit([walk], deltas.append)[0] for walk, deltas in zip(walks, heard, strict=True)]
    traces = [future.result(60).trace() for future in futures]
    for trace, deltas in zip(traces, heard, strict=True):
        assert put_together(deltas) == list(trace.segments)
    return traces


@every_fake
@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_streamed_is_what_comes_as_a_whole(name: str, fake: Fake, new_engine: Any) -> None:
    model, pace, loses_ids = model_of(name), Pace(), fake is FAKES["llama.cpp, loses ids"]
    with serving(lambda: fake(model, pace)) as server:
        engine = new_engine(model.template, server.url)
        requests = requests_of(model.template, 40)
        if loses_ids:  # it is asked for no log-probabilities then
            requests = [r for r in requests if not find_strategy(r.strategy).goes_by_logprobs(r.options)]
        expected = answered(ScriptedEngine(model.script, model.template, engine.context), requests)
        pace.num_streams = 0
        traces = listened(engine, requests)
        engine.close()
    assert [(parts(trace), trace.error) for trace in traces] == [(parts(trace), trace.error) for trace in expected]
    assert pace.num_streams > len(requests) / 2
    if not loses_ids:
        whole = [trace for trace in traces if trace.error is None and trace.logprobs is not None]
        assert len(whole) > 10


def server_side(model: FakeModel, request: Request, context: int | None) -> Trace:
    """What the ids say that the fake server answers with where time is up."""
    ids = model.in_time(request, context)
    return replay(request, ids, model.template, context, end=model.template.eos)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("streams", [True, False])
def test_what_the_server_has_closed_in_time_is_read_as_that(name: str, streams: bool, new_engine: Any) -> None:
    """As far as its ids tell: see `elastic_reasoning.core.deadline`."""
    model = replace(model_of(name), closes=(2, 3, 11))
    requests = [
        replace(request, deadline_seconds=5.0)
        for request in requests_of(model.template, 150)
        if not needs_of(request, model.template).takes_back
    ]
    with serving(lambda: fake_vllm(model, plug_in=True)) as server:
        engine = new_engine(model.template, server.url)
        traces = listened(engine, requests) if streams else list(generate(engine, requests))
        expected = {request: server_side(model, request, engine.context) for request in requests}
        engine.close()
    for trace in traces:
        assert (parts(trace), trace.error) == (parts(expected[trace.request]), expected[trace.request].error)
    if name == "one token":
        assert sum(trace.closed_by_deadline for trace in traces) >= 2


def test_what_cannot_keep_a_deadline_says_so(new_engine: Any) -> None:
    model = model_of("one token")
    with serving(lambda: fake_vllm(model)) as server:
        engine = new_engine(model.template, server.url)
        [trace] = generate(engine, [Request(Prompt((1, 1, 1, 1), Thinking.OPEN), Budget(9, 9), deadline_seconds=2.5)])
        engine.close()
    assert "deadline_seconds 2.5 is kept by vLLM with our plug-in alone" in str(trace.error)


def test_a_server_that_answers_in_text_tells_of_each_call_when_it_is_over(new_engine: Any) -> None:
    model = model_of("one token")
    requests = [Request(Prompt((5, 6, 7, n), Thinking.OPEN), Budget(6, 4), name=str(n)) for n in range(4, 14)]
    with serving(lambda: fake_openai(model)) as server:
        engine = new_engine(model.template, server.url, context=64)
        expected = {trace.request.name: parts(trace) for trace in generate(engine, requests)}
        assert {trace.request.name: parts(trace) for trace in listened(engine, requests)} == expected
        engine.close()


@every_fake
def test_a_stream_that_breaks_off_is_gone_on_with_from_what_stands(fake: Fake, new_engine: Any) -> None:
    model, pace = model_of("several tokens"), Pace()
    requests = requests_of(model.template, 8)
    with serving(lambda: fake(model, pace)) as server:
        engine = new_engine(model.template, server.url)
        expected = answered(ScriptedEngine(model.script, model.template, engine.context), requests)

        @random_tries
        @given(st.lists(st.integers(0, 6), max_size=30))
        def broken(cuts: list[int]) -> None:
            start = pace.num_streams
            pace.cut = lambda number: cuts[number - start] if number - start < len(cuts) else None
            traces = listened(engine, requests)
            assert [parts(trace) for trace in traces] == [parts(trace) for trace in expected]

        broken()
        engine.close()


class Halted:
    """A walk on a server that writes so many events of a stream and then waits."""

    def __init__(self, engine: OpenAIEngine, pace: Pace, num_free: int) -> None:
        self.walk = Walk(Request(Prompt((5, 6, 7, 8), Thinking.OPEN), Budget(30, 8)), engine.template, engine.context)
        self.deltas: list[Delta] = []
        self._come = threading.Semaphore(0)
        pace.halt = lambda number: None if number else num_free
        [self.future] = engine.submit([self.walk], self._listen)

    def _listen(self, delta: Delta) -> None:
        self.deltas.append(delta)
        for _ in delta.ids:
            self._come.release()

    def wait_for(self, num: int) -> None:
        """Until so many tokens have been told."""
        for _ in range(num):
            assert self._come.acquire(timeout=30)


class Writer(FakeModel):
    """Writes one letter after the other and never closes."""

    def prefers(self, ids: Any) -> list[int]:
        closed = self.template.closing.ids[0] in ids
        return [len(ids) % 7 + 4, *range(self.template.num_tokens)] if closed else [len(ids) % 5 + 4]


@contextmanager
def halted(fake: Fake, num_free: int, new_engine: Any) -> Iterator[tuple[Halted, Pace]]:
    pace, model = Pace(), Writer(letters())
    with serving(lambda: fake(model, pace)) as server:
        engine = new_engine(model.template, server.url)
        pace.num_streams = pace.num_dropped = 0
        yield Halted(engine, pace, num_free), pace
        engine.close()


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError


@every_fake
@pytest.mark.parametrize("num", [1, 5])
def test_a_deadline_closes_thinking_with_what_has_come_and_drops_the_request(
    num: int, fake: Fake, new_engine: Any
) -> None:
    with halted(fake, num, new_engine) as (one, pace):
        one.wait_for(num)
        one.walk.interrupt(Finish.DEADLINE)
        trace = one.future.result(30).trace()
        wait_until(lambda: pace.num_dropped == 1)
    assert trace.error is None
    assert finishes(trace)[0] == "deadline"
    assert num <= trace.num_thinking_tokens <= 2 * num
    assert trace.num_solution_tokens == 8
    assert put_together(one.deltas) == list(trace.segments)
    again = replay(trace.request, trace.ids, trace.template, interrupts=trace.interrupts)
    assert parts(again) == parts(trace)


@every_fake
@pytest.mark.parametrize("finish", [Finish.STOP, Finish.ABORT])
def test_a_request_that_is_given_up_ends_with_what_has_come(finish: Finish, fake: Fake, new_engine: Any) -> None:
    with halted(fake, 3, new_engine) as (one, pace):
        one.wait_for(3)
        if finish is Finish.ABORT:
            assert one.future.cancel()
            wait_until(lambda: one.walk.call is None)
        else:
            one.walk.interrupt(finish)
            assert one.future.result(30) is one.walk
        wait_until(lambda: pace.num_dropped == 1)
        trace = one.walk.trace()
    assert finishes(trace) == [str(finish)]
    assert 3 <= trace.num_thinking_tokens <= 6


def test_without_a_listener_what_has_not_been_delivered_is_lost(new_engine: Any) -> None:
    arrived, release = threading.Event(), asyncio.Event()
    model = Writer(letters())

    def app() -> web.Application:
        @web.middleware
        async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
            if arrived.is_set() or "slow" not in engines:
                return await handler(request)
            arrived.set()
            await release.wait()
            return await handler(request)

        app = fake_vllm(model, plug_in=True)
        app.middlewares.append(middleware)
        return app

    engines: dict[str, Any] = {}
    with serving(app) as server:
        engine = new_engine(model.template, server.url)
        engines["slow"] = engine
        walk = Walk(Request(Prompt((5, 6, 7, 8), Thinking.OPEN), Budget(30, 8)), engine.template, engine.context)
        [future] = engine.submit([walk])
        assert arrived.wait(30)
        walk.interrupt(Finish.DEADLINE)
        trace = future.result(30).trace()
        engine.close()
    assert finishes(trace)[0] == "deadline"
    assert (trace.num_thinking_tokens, trace.num_solution_tokens) == (0, 8)


@every_fake
def test_an_interrupt_at_any_moment_leaves_a_trace_that_its_ids_give_back(fake: Fake, new_engine: Any) -> None:
    model, pace = model_of("several tokens"), Pace()
    requests = requests_of(model.template, 6, names=["elastic", "s1"])
    with serving(lambda: fake(model, pace)) as server:
        engine = new_engine(model.template, server.url)

        @random_tries
        @given(
            st.lists(st.tuples(st.integers(0, 12), st.sampled_from(INTERRUPTS)), min_size=6, max_size=6),
            st.integers(0, 3),
        )
        def interrupted(moments: list[tuple[int, Finish]], thread: int) -> None:
            walks = [Walk(request, engine.template, engine.context) for request in requests]
            heard: list[list[Delta]] = [[] for _ in walks]

            def listen(number: int) -> Callable[[Delta], None]:
                def tell(delta: Delta) -> None:
                    heard[number].append(delta)
                    if sum(len(one.ids) for one in heard[number]) >= moments[number][0]:
                        interrupt = lambda: walks[number].interrupt(moments[number][1])  # noqa: E731
                        threading.Thread(target=interrupt).start() if thread else interrupt()

                return tell

            futures = [engine.submit([walk], listen(number))[0] for number, walk in enumerate(walks)]
            for future, deltas in zip(futures, heard, strict=True):
                trace = future.result(60).trace()
                assert put_together(deltas) == list(trace.segments)
                if trace.error is None:
                    mask, known = trace.sampled_mask, trace.interrupts
                    again = replay(trace.request, trace.ids, trace.template, engine.context, mask, interrupts=known)
                    assert parts(again) == parts(trace)

        interrupted()
        engine.close()
