"""The loop that other threads feed: walks at any time, interrupts, and what becomes of all of them when it ends."""

import asyncio
import gc
import random
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
import torch

from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.errors import BusyError, EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import answer, generate, run
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.loop import NAME
from elastic_reasoning.engines.local.slots import Slots
from letters import finishes, letters, put_together
from tiny import biased, build, mixed_requests, new_engine, prompt, request, tiny

LONG = 4000
"""Tokens that no test waits for."""


@pytest.fixture
def endless() -> Iterator[TransformersEngine]:
    """Three rows of a model that neither closes thinking nor ends by itself."""
    model = biased(build("llama", max_position_embeddings=2 * LONG), {0: -50.0, 3: -50.0})
    engine = new_engine(model, max_rows=3)
    yield engine
    engine.close()


def walk_of(engine: TransformersEngine, asked: Request) -> Walk:
    return Walk(asked, engine.template, engine.context)


def long_walk(engine: TransformersEngine, sample: int = 0) -> Walk:
    return walk_of(engine, request(4, f"{LONG}+5", sample=sample))


def begun(walk: Walk, engine: TransformersEngine, num: int = 3) -> Future[Walk]:
    """A walk that is under way: so many of its tokens have been told of."""
    heard, enough = list[Delta](), threading.Event()

    def listen(delta: Delta) -> None:
        heard.append(delta)
        if len(heard) >= num:
            enough.set()

    [future] = engine.submit([walk], listen)
    assert enough.wait(60)
    return future


def shape(walk: Walk) -> list[Any]:
    return [(s.phase, s.ids, s.sampled, s.finish) for s in walk.segments] + [walk.error]


def alone(engine: TransformersEngine, requests: list[Request]) -> list[list[Any]]:
    walks = [walk_of(engine, asked) for asked in requests]
    list(run(engine, walks))
    return [shape(walk) for walk in walks]


def computing() -> bool:
    return any(thread.name == "elastic-local" for thread in threading.enumerate())


def idle() -> None:
    """Wait for the thread of a loop with nothing to do to be gone."""
    for thread in threading.enumerate():
        if thread.name == "elastic-local":
            thread.join(60)
    assert not computing()


def test_threads_bring_walks_whenever_they_like() -> None:
    engine, requests = new_engine(tiny(), max_rows=3), mixed_requests(40)
    expected = alone(new_engine(tiny(), max_rows=8), requests)
    walks = [walk_of(engine, asked) for asked in requests]

    def bring(walk: Walk) -> Walk:
        time.sleep(random.Random(walk.request.name).random() / 100)
        return engine.submit([walk])[0].result(60)

    with ThreadPoolExecutor(7) as threads:
        assert list(threads.map(bring, walks)) == walks
    assert [shape(walk) for walk in walks] == expected
    idle()


def test_event_loops_bring_walks_and_a_task_that_is_cancelled_gives_its_own_up(endless: TransformersEngine) -> None:
    requests = [request(3, "5+3", sample=n) for n in range(8)]
    expected = alone(endless, requests)

    async def main() -> list[Walk]:
        abandoned = long_walk(endless)
        task = asyncio.create_task(answer(endless, abandoned))
        walks = await asyncio.gather(*(answer(endless, walk_of(endless, asked)) for asked in requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while abandoned.call is not None:
            await asyncio.sleep(0.01)
        assert finishes(abandoned.trace()) == ["abort"]
        return walks

    assert [shape(walk) for walk in asyncio.run(main())] == expected


def test_a_timer_closes_thinking_and_the_solution_has_its_tokens(endless: TransformersEngine) -> None:
    walks = [long_walk(endless, n) for n in range(5)]  # two of them wait for a row: their time runs out there
    futures = endless.submit(walks)
    timers = [threading.Timer(0.2, walk.interrupt, [Finish.DEADLINE]) for walk in walks]
    for timer in timers:
        timer.start()
    wait(futures, 60)
    for walk in walks:
        trace = walk.trace()
        assert finishes(trace) == ["deadline", "length"]
        assert (trace.num_solution_tokens, trace.closed_by_deadline, trace.budget_hit) == (5, True, False)
        assert check(trace, endless.context) == []
    assert any(walk.trace().num_thinking_tokens for walk in walks)


def test_what_a_deadline_leaves_is_what_a_budget_of_as_many_tokens_leaves(endless: TransformersEngine) -> None:
    walk = long_walk(endless)
    future = begun(walk, endless, num=10)
    walk.interrupt(Finish.DEADLINE)
    future.result(60)
    num = walk.trace().num_thinking_tokens
    assert 0 < num < LONG
    [trace] = generate(endless, [request(4, f"{num}+5")])
    assert trace.ids == walk.trace().ids
    assert trace.logprobs == pytest.approx(walk.trace().logprobs, abs=1e-4)


@pytest.mark.parametrize("finish", [Finish.STOP, Finish.ABORT])
def test_an_interrupt_frees_the_row(endless: TransformersEngine, finish: Finish) -> None:
    walk = long_walk(endless)
    future = begun(walk, endless)
    walk.interrupt(finish)
    assert future.result(60) is walk
    assert finishes(walk.trace()) == [str(finish)]
    idle()


def test_giving_up_some_changes_nothing_for_the_others() -> None:
    engine, requests = new_engine(tiny(), max_rows=4), mixed_requests(60)
    expected = alone(new_engine(tiny(), max_rows=4), requests)
    walks = [walk_of(engine, asked) for asked in requests]
    chance, done = random.Random(0), 0
    futures = [engine.submit([walk])[0] for walk in walks]
    for walk, future in chance.sample(list(zip(walks, futures, strict=True)), 20):
        time.sleep(chance.random() / 200)
        if chance.random() < 0.5:
            walk.interrupt(Finish.ABORT)
        else:
            future.cancel()
    wait(futures, 60)
    idle()
    for walk, known in zip(walks, expected, strict=True):
        if "abort" in finishes(walk.trace()):
            ids = [token for _, part, *_ in known[:-1] for token in part]
            assert list(walk.trace().ids) == ids[: len(walk.ids)]
        else:
            assert shape(walk) == known
            done += 1
    assert done >= 40


def test_a_walk_that_waits_is_given_up_without_a_row(endless: TransformersEngine) -> None:
    running = [long_walk(endless, n) for n in range(3)]
    futures = endless.submit(running)
    waiting = long_walk(endless, 4)
    [future] = endless.submit([waiting])
    waiting.interrupt(Finish.ABORT)
    assert future.result(60).ids == []
    assert not any(future.done() for future in futures)


def test_so_many_wait_and_no_more() -> None:
    model = biased(build("llama", max_position_embeddings=2 * LONG), {0: -50.0, 3: -50.0})
    engine = TransformersEngine(model, None, letters(), max_rows=2, max_waiting=1)
    futures = engine.submit([long_walk(engine, n) for n in range(3)])
    with pytest.raises(BusyError, match="2 requests would wait, max_waiting is 1"):
        engine.submit([long_walk(engine, 3)])
    futures[0].cancel()
    while True:  # as soon as the row is free
        try:
            futures += engine.submit([long_walk(engine, 4)])
            break
        except BusyError:
            time.sleep(0.01)
    engine.close()
    assert all(future.done() for future in futures)


def test_closing_gives_up_what_is_under_way_and_may_be_done_twice(endless: TransformersEngine) -> None:
    walks = [long_walk(endless, n) for n in range(5)]
    futures = endless.submit(walks)
    endless.close()
    endless.close()
    assert not computing()
    assert all(finishes(future.result(0).trace()) == ["abort"] for future in futures)
    with pytest.raises(EngineError, match="the engine is closed"):
        endless.submit([long_walk(endless)])


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no memory left"), RuntimeError("a bug in the model")])
def test_what_ends_the_engine_ends_all_walks_and_the_next_ones_find_it_well(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, steps, decode = new_engine(tiny(), max_rows=2), [], Slots.decode

    def failing(*args: Any) -> torch.Tensor:
        steps.append(1)
        if len(steps) == 3:
            raise error
        return decode(*args)

    monkeypatch.setattr(Slots, "decode", failing)
    futures = engine.submit([walk_of(engine, request(4, "9+4", min_thinking=9, sample=n)) for n in range(5)])
    for future in futures:
        failure = future.exception(60)
        if isinstance(error, torch.OutOfMemoryError):
            assert isinstance(failure, EngineError)
            assert str(failure) == "out of memory on cpu with max_rows=2: lower max_rows"
        else:
            assert failure is error
    [trace] = generate(engine, [request()])
    assert trace.error is None


def test_a_listener_that_fails_is_the_failure_of_its_own_walk() -> None:
    engine = new_engine(tiny(), max_rows=3)

    def listen(delta: Delta) -> None:
        if delta.phase is Phase.SOLUTION:
            raise BrokenPipeError("nobody reads")

    [bad] = engine.submit([walk_of(engine, request(4, "5+5"))], listen)
    good = engine.submit([walk_of(engine, asked) for asked in mixed_requests(6)])
    assert isinstance(bad.exception(60), BrokenPipeError)
    assert all(future.result(60).error is None for future in good)


def test_futures_are_resolved_while_the_model_is_as_its_owner_left_it() -> None:
    model = build("gpt2").train()
    engine, modes = new_engine(model, max_rows=2), list[bool]()
    futures = engine.submit([walk_of(engine, asked) for asked in mixed_requests(9)])
    for future in futures:
        future.add_done_callback(lambda future: modes.append(model.training))
    wait(futures, 60)
    idle()
    assert modes == [True] * 9


def test_engines_that_share_a_model_take_turns() -> None:
    """One prefills while the other decodes, and a third is made: the model is another one to each of them."""
    requests = mixed_requests(24)
    expected = alone(new_engine(build("gpt2"), max_rows=3), requests)
    model = build("gpt2").train()
    walks, futures = [], []
    for n in range(3):
        engine = new_engine(model, max_rows=3)
        mine = [walk_of(engine, asked) for asked in requests[n::3]]
        walks += mine
        futures += engine.submit(mine)
    wait(futures, 60)
    idle()
    assert [shape(walk) for walk in walks] == [known for n in range(3) for known in expected[n::3]]
    assert model.training


def test_a_callback_may_submit_the_next_walk() -> None:
    engine, left, done = new_engine(tiny(), max_rows=2), list(mixed_requests(9)), threading.Event()

    def go_on(future: Future[Walk] | None = None) -> None:
        if not left:
            return done.set()
        engine.submit([walk_of(engine, left.pop())])[0].add_done_callback(go_on)

    go_on()
    assert done.wait(60)


def test_rows_are_freed_before_the_last_walk_is_handed_back() -> None:
    engine, found = new_engine(tiny(), max_rows=2), list[int]()
    new_store, stores = engine._new_store, weakref.WeakSet[Slots]()

    def noting() -> Slots:
        store = new_store()
        stores.add(store)
        return store

    engine._new_store = noting
    [future] = engine.submit([walk_of(engine, request(4, "20+4", min_thinking=20))])
    future.add_done_callback(lambda future: found.append(gc.collect() and len(stores)))
    future.result(60)
    idle()
    assert found == [0]


@pytest.mark.parametrize("leave", ["close", "throw"])
def test_a_reader_who_leaves_gives_up_what_is_under_way(endless: TransformersEngine, leave: str) -> None:
    walks = [walk_of(endless, request(2, "2+1")), *(long_walk(endless, n) for n in range(9))]
    traces: Any = run(endless, iter(walks))
    assert next(traces).error is None
    if leave == "close":
        traces.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            traces.throw(KeyboardInterrupt())
    idle()
    assert all(finishes(walk.trace()) == ["abort"] for walk in walks[1:] if walk.steps)


def test_the_walks_of_one_call_are_prefilled_together(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, prefill, sizes = new_engine(tiny(), max_rows=8), Slots.prefill, list[int]()

    def counting(self: Slots, slots: Any, ids: torch.Tensor, lengths: Any) -> None:
        sizes.append(len(ids))
        prefill(self, slots, ids, lengths)

    monkeypatch.setattr(Slots, "prefill", counting)
    for _ in range(20):
        sizes.clear()
        budget = Budget(3, 2)
        asked = [Request(prompt(3), budget, options=request(min_thinking=3).options, sample=n) for n in range(12)]
        list(generate(engine, [*asked]))
        assert sizes[0] == 8


def test_listeners_beside_silent_rows_are_told_all(endless: TransformersEngine) -> None:
    heard: list[Delta] = []
    silent = endless.submit([walk_of(endless, request(3, "60+5", sample=n)) for n in range(2)])
    [told] = endless.submit([walk_of(endless, request(5, "50+5", sample=9))], heard.append)
    wait([*silent, told], 60)
    assert put_together(heard) == told.result().segments
    assert len(heard) >= 55


SCRIPT = """
import os, sys, time
import torch
torch.set_num_threads(1)
sys.path.insert(0, "tests")
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, run
from tape import graphed_engine
from tiny import biased, build, new_engine, request
model = biased(build("llama", max_position_embeddings=8000), {0: -50.0, 3: -50.0})
engine = {"each": new_engine, "recorded": graphed_engine}[sys.argv[1]](model, max_rows=3)
walks = [Walk(request(4, "4000+5", sample=n), engine.template, engine.context) for n in range(5)]
"""


INTERRUPTED = """
import signal, threading
futures = engine.submit(walks)
time.sleep(0.3)
child = os.fork()
if child == 0:
    [trace] = generate(engine, [request(4, "6+3")])
    print("fork", trace.num_thinking_tokens, trace.num_solution_tokens, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
[future.cancel() for future in futures]
walks = [Walk(walk.request, engine.template, engine.context) for walk in walks]
threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    list(run(engine, walks))
except KeyboardInterrupt:
    print("interrupt", *(walk.segments[-1].finish for walk in walks[:3]))
engine.submit([Walk(walk.request, engine.template, engine.context) for walk in walks])
time.sleep(0.3)
print("over")
"""


@pytest.mark.parametrize("steps", ["each", pytest.param("recorded", marks=pytest.mark.full)])
def test_a_program_with_walks_under_way_may_fork_be_interrupted_and_end(steps: str) -> None:
    """The fork has an engine with nothing to do, Ctrl-C gives up what is under way, and the end waits for none."""
    program = [sys.executable, "-c", SCRIPT + INTERRUPTED, steps]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["fork 6 3", "interrupt abort abort abort", "over"]


def computing_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == NAME]


def test_whoever_waits_for_walks_lends_the_thread() -> None:
    engine, threads = new_engine(tiny("llama")), set[str]()

    def listen(delta: Delta) -> None:
        threads.add(threading.current_thread().name)

    walks = [walk_of(engine, asked) for asked in mixed_requests(8)]
    assert len(list(run(engine, walks, listen))) == 8
    assert threads == {threading.current_thread().name}
    assert computing_threads() == []


def test_a_reader_at_other_things_keeps_nobody_waiting() -> None:
    engine = new_engine(tiny("llama"), max_rows=3)
    reader = generate(engine, mixed_requests(8))
    first = next(reader)
    [future] = engine.submit([walk_of(engine, mixed_requests(9)[-1])])
    assert future.result(60).call is None
    assert len([first, *reader]) == 8


def test_two_readers_of_one_engine_wait_for_each_other() -> None:
    engine = new_engine(tiny("llama"), max_rows=3)
    requests = mixed_requests(12)
    expected = sorted(trace.ids for trace in generate(engine, requests))
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(lambda part: [t.ids for t in generate(engine, part)], [requests[::2], requests[1::2]]))
    assert sorted(halves[0] + halves[1]) == expected


def test_an_engine_is_closed_while_a_reader_is_at_other_things(endless: TransformersEngine) -> None:
    walks = [walk_of(endless, request(4, "0+5")), long_walk(endless, sample=1)]
    reader = run(endless, walks)
    next(reader)
    endless.close()
    assert [trace.segments[-1].finish for trace in reader] == [Finish.ABORT]
