"""Several thinkings on every engine: it is given their branches, and whatever becomes of these, the family ends."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delta import Delta, Listen
from elastic_reasoning.core.errors import BusyError, EngineError
from elastic_reasoning.core.family import replay_family
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.concurrent import Answering, LoopThread
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from elastic_reasoning.engines.sharing import share
from elastic_reasoning.engines.swap import SwapEngine
from letters import by_position, finishes, letters, put_together, show
from tiny import new_engine, tiny

TEMPLATE = letters()
SAID = ("abcdCx$", "aCy$", "abCx$", "abcCz$")


def asked(strategy: str = "vote", budget: str = "36+4", **options: str | int) -> Request:
    return Request(Prompt((4,), Thinking.OPEN), Budget.parse(budget), strategy, Options(options))


def script(request: Request, ids: Sequence[int]) -> list[int]:
    """Each branch says a text of its own."""
    return list(by_position(TEMPLATE.encode(SAID[request.sample % len(SAID)]), TEMPLATE)(request, ids))


class Held:
    """An engine whose walks are over when they are let go, one by one, told what the scripted one would."""

    template, context, note, capacity = TEMPLATE, None, "", 8

    def __init__(self, most: int = 100) -> None:
        self.taken: list[Job] = []
        self.cursors: dict[int, Cursor] = {}
        self.most = most

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        if len(self.taken) + len(walks) > self.most:
            raise BusyError("too many")
        jobs = [Job(walk, listen, until) for walk in walks]
        self.taken += jobs
        return [job.future for job in jobs]

    def go_on(self, number: int, num_tokens: int = 100) -> None:
        """Sample so many tokens for a walk, or all that it wants."""
        job, cursor = self.taken[number], self.cursor(number)
        if job.walk.interrupted:
            cursor.wake((), ())
        while num_tokens and not cursor.done:
            token = script(job.walk.request, cursor.ids)[0]
            cursor.wake([token], [scripted_logprob(len(cursor.ids), token)])
            num_tokens -= 1
        if cursor.done and not job.future.done():
            job.finish()

    def cursor(self, number: int) -> Cursor:
        if number not in self.cursors:
            job = self.taken[number]
            self.cursors[number] = Cursor(job.walk, job.listen, job.until)
        return self.cursors[number]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
@pytest.mark.parametrize("num_first", [1, 2, 3])
def test_what_is_chosen_does_not_hang_on_the_order_in_which_branches_come(
    order: tuple[int, ...], num_first: int
) -> None:
    engine, walk = Held(), Walk(asked("short-m", num_first=num_first), TEMPLATE)
    [future] = engine.submit([walk])
    for number in order:
        assert not future.done()
        engine.go_on(number)
    trace = future.result(0).trace()
    assert show(trace) == "thinking:a closing:C solution:y$"
    assert replay_family(trace) == trace


def test_side_by_side_the_others_are_stopped_at_once() -> None:
    engine, walk = Held(), Walk(asked("short-m"), TEMPLATE)
    [future] = engine.submit([walk])
    while not future.done():
        for number in range(4):
            engine.go_on(number, 1)
    assert [branch.trace().num_thinking_tokens for branch in walk.branches] == [2, 1, 2, 2]
    assert [finishes(branch.trace())[-1] for branch in walk.branches] == ["stop", "eos", "stop", "stop"]


def test_a_listener_is_told_of_the_chosen_branch_alone_once_it_is_chosen() -> None:
    engine, walk, deltas = Held(), Walk(asked(), TEMPLATE), list[Delta]()
    [future] = engine.submit([walk], deltas.append)
    for number in (2, 1, 0):
        engine.go_on(number)
    assert deltas == []
    engine.go_on(3)
    assert put_together(deltas) == list(future.result(0).trace().segments)


def test_what_a_listener_raises_is_the_familys() -> None:
    def listen(delta: Delta) -> None:
        raise ValueError("no more")

    engine = Held()
    [future] = engine.submit([Walk(asked(), TEMPLATE)], listen)
    for number in range(4):
        engine.go_on(number)
    with pytest.raises(ValueError, match="no more"):
        future.result(0)


def test_to_cancel_a_family_aborts_all_of_it() -> None:
    engine, walk = Held(), Walk(asked(), TEMPLATE)
    [future] = engine.submit([walk])
    engine.go_on(0)
    assert future.cancel()
    assert [branch.interrupted for branch in walk.branches] == [None, Finish.ABORT, Finish.ABORT, Finish.ABORT]
    for number in range(1, 4):
        engine.go_on(number)
    assert finishes(walk.trace()) == ["abort"]


def test_an_error_of_one_branch_is_the_familys_and_the_others_are_given_up() -> None:
    engine, walk = Held(), Walk(asked(), TEMPLATE)
    [future] = engine.submit([walk])
    engine.taken[1].walk.fail("the server refused it")
    engine.taken[1].finish()
    for number in (0, 2, 3):
        engine.go_on(number)
    trace = future.result(0).trace()
    assert trace.error == "the server refused it"
    assert trace.segments == ()
    assert [finishes(branch)[-1:] for branch in trace.branches] == [["abort"], [], ["abort"], ["abort"]]


def test_what_fails_the_engine_is_the_exception_of_the_future() -> None:
    engine = Held()
    [future] = engine.submit([Walk(asked(), TEMPLATE)])
    engine.taken[2].finish(EngineError("it is gone"))
    for number in (0, 1, 3):
        engine.go_on(number)
    with pytest.raises(EngineError, match="it is gone"):
        future.result(0)


def test_where_not_all_can_wait_none_is_taken() -> None:
    engine, one, several = Held(most=4), Walk(asked("elastic"), TEMPLATE), Walk(asked(), TEMPLATE)
    with pytest.raises(BusyError):
        engine.submit([one, several])
    assert one.interrupted is Finish.ABORT


def test_single_walks_and_families_come_back_in_the_order_in_which_they_were_given() -> None:
    walks = [
        Walk(replace(asked(strategy), sample=4), TEMPLATE) for strategy in ("elastic", "vote", "vanilla", "short-m")
    ]
    futures = ScriptedEngine(script, TEMPLATE).submit(walks)
    assert [future.result(0) for future in futures] == walks
    assert [show(walk.trace()).split(":")[-1] for walk in walks] == ["x$", "x$", "x$", "y$"]


def test_a_family_is_not_handed_on_at_a_phase_nor_timed_by_a_server() -> None:
    engine = ScriptedEngine(script, TEMPLATE)
    [future] = engine.submit([Walk(asked(), TEMPLATE)], until=Phase.SOLUTION)
    assert "cannot be handed on" in str(future.result(0).error)
    [future] = engine.submit([Walk(replace(asked(), deadline_seconds=1.0), TEMPLATE)])
    assert "deadline_seconds" in str(future.result(0).error)


def test_run_has_no_more_branches_under_way_than_the_engine_has_room_for() -> None:
    most = 0

    class Counting(ScriptedEngine):
        capacity = 5

        def submit(
            self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
        ) -> list[Future[Walk]]:
            nonlocal most
            most = max(most, sum(walk.num_branches for walk in walks))
            return super().submit(walks, listen, until)

    walks = [Walk(replace(asked(), sample=sample), TEMPLATE) for sample in range(7)]
    traces = list(run(Counting(script, TEMPLATE), walks))
    assert len(traces) == 7
    assert most == 8  # the one with which five are reached is taken whole


def test_each_branch_is_swapped_by_itself() -> None:
    def other(request: Request, ids: Sequence[int]) -> list[int]:
        text = SAID[request.sample % 4].replace("y", "w").replace("x", "u")
        return list(by_position(TEMPLATE.encode(text), TEMPLATE)(request, ids))

    engine = SwapEngine(ScriptedEngine(script, TEMPLATE), ScriptedEngine(other, TEMPLATE))
    [trace] = run(engine, [Walk(asked(), TEMPLATE)])
    assert show(trace) == "thinking:abcd closing:C solution:u$"


def test_an_engine_that_goes_by_events_answers_families_beside_each_other() -> None:
    """A family of four where two are under way at once, and whose loop gives it up."""
    thread, hold = LoopThread("test"), threading.Event()

    async def answer(job: Job) -> None:
        cursor = Cursor(job.walk, job.listen, job.until)
        while not cursor.done:
            await asyncio.sleep(0 if hold.is_set() else 1000)
            cursor.wake([script(job.walk.request, cursor.ids)[0]], None)

    class ByEvents(Held):
        @runs_branches
        def submit(
            self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
        ) -> list[Future[Walk]]:
            jobs = [Job(walk, listen, until) for walk in walks]
            answering.submit(jobs)
            return [job.future for job in jobs]

    answering = Answering(answer, thread.loop, 2)
    hold.set()
    [future] = ByEvents().submit([Walk(asked("short-m"), TEMPLATE)])
    assert show(future.result(10).trace()) == "thinking:a closing:C solution:y$"
    hold.clear()
    [future] = ByEvents().submit([Walk(asked(), TEMPLATE)])
    thread.close()
    assert finishes(future.result(10).trace()) == ["abort"]


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny()


@pytest.fixture
def small(model: Any) -> Iterator[TransformersEngine]:
    engine = new_engine(model, max_rows=4)
    yield engine
    engine.close()


Answer = Callable[[TransformersEngine, Sequence[Request]], list[Trace]]


def families(num: int) -> list[Request]:
    prompt = Prompt((5, 6, 7), Thinking.OPEN)
    kinds = (("vote", Options(num_branches=8)), ("short-m", Options(num_branches=8, num_first=3)))
    return [
        Request(prompt, Budget(90, 6), *kinds[n % 2], Sampling(seed=n // 2), name=str(n), sample=n % 3)
        for n in range(num)
    ]


def together(engine: TransformersEngine, requests: Sequence[Request]) -> dict[str, Trace]:
    walks = (Walk(request, engine.template, engine.context) for request in requests)
    return {trace.request.name: trace for trace in run(engine, walks)}


def test_families_larger_than_the_engine_come_to_the_same_alone_together_and_shared(small: TransformersEngine) -> None:
    requests = families(6)
    found = together(small, requests)
    shared = {
        trace.request.name: trace
        for trace in share(small, (Walk(request, small.template, small.context) for request in requests))
    }
    for request in requests:
        trace = together(small, [request])[request.name]
        assert trace.error is None
        assert trace.ids == found[request.name].ids == shared[request.name].ids
        assert len(trace.branches) == 8
        assert trace.num_spent_tokens <= 96 + 8  # a sampled delimiter each
        again = replay_family(trace, small.context)
        assert (again.ids, [branch.ids for branch in again.branches]) == (
            trace.ids,
            [branch.ids for branch in trace.branches],
        )


def test_a_family_that_is_given_up_frees_its_rows(small: TransformersEngine) -> None:
    for _ in range(2):
        traces = run(small, (Walk(request, small.template, small.context) for request in families(4)))
        next(traces)
        traces.close()
    assert len(together(small, families(2))) == 2
