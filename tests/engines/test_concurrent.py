import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings

from cases import Case, cases
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.concurrent import LoopThread, Sampled, Wanted, run_by_events, run_concurrently
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from letters import by_position, letters

TEMPLATE = letters()
SAYS = TEMPLATE.encode("abCxy$")


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread("test")
    yield thread
    thread.close()


def walk(number: int) -> Walk:
    request = Request(Prompt((4,), Thinking.OPEN), Budget(4, 4), name=str(number))
    return Walk(request, TEMPLATE)


class Server:
    """Samples what a script says and notes what was under way together.

    Args:
        fails_at: the number of the call that fails.
        opens_at: how many calls must be under way before the first is answered.
    """

    def __init__(self, fails_at: int | None = None, opens_at: int = 1) -> None:
        self.num_now, self.most_now, self.num_calls = 0, 0, 0
        self.cancelled: list[str] = []
        self.open = asyncio.Event()
        self._fails_at = fails_at
        self._opens_at = opens_at

    async def sample(self, wanted: Wanted) -> Sampled:
        self.num_calls += 1
        if self.num_calls - 1 == self._fails_at:
            raise ConnectionError("the server is gone")
        self.num_now += 1
        self.most_now = max(self.most_now, self.num_now)
        if self.num_now == self._opens_at:
            self.open.set()
        try:
            await self.open.wait()
            for _ in range(int(wanted.request.name or 0) % 5):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(wanted.request.name)
            raise
        finally:
            self.num_now -= 1
        return say(wanted, SAYS, TEMPLATE)

    async def answer(self, walk: Walk) -> Trace:
        return await run_by_events(walk, self.sample)


def say(wanted: Wanted, says: tuple[int, ...], template: Template) -> Sampled:
    """What a script says from a position on, until a watched id or the limit."""
    script = by_position(says, template)
    completion = list(wanted.ids[len(wanted.request.prompt.ids) :])
    assert len(completion) == wanted.position
    new: list[int] = []
    while len(new) != wanted.max_tokens and not (new and new[-1] in wanted.watch):
        new.append(next(t for t in script(wanted.request, completion + new) if t not in wanted.banned))
    return Sampled(tuple(new), tuple(scripted_logprob(wanted.position + n, token) for n, token in enumerate(new)))


@settings(max_examples=500)
@given(cases())
def test_one_call_for_each_event_gives_the_traces_of_the_scripted_engine(case: Case) -> None:
    async def sample(wanted: Wanted) -> Sampled:
        return say(wanted, case.says, case.template)

    trace = asyncio.run(run_by_events(Walk(case.request, case.template, case.context), sample))
    request = Case(case.request, case.template, case.context, case.says, counting=False)
    scripted = next(
        ScriptedEngine(request.script(), case.template, case.context).run(
            [Walk(case.request, case.template, case.context)]
        )
    )
    assert (trace.segments, trace.error) == (scripted.segments, scripted.error)


def test_thinking_with_a_delimiter_of_one_token_takes_two_calls() -> None:
    asked: list[Wanted] = []

    async def sample(wanted: Wanted) -> Sampled:
        asked.append(wanted)
        return say(wanted, SAYS, TEMPLATE)

    asyncio.run(run_by_events(walk(0), sample))
    assert [(w.ids, w.position, w.max_tokens, w.stop_texts) for w in asked] == [
        ((4,), 0, 4, ("C",)),
        ((4, *TEMPLATE.encode("abC")), 3, 4, ()),
    ]
    assert [TEMPLATE.decode(sorted(w.watch)) for w in asked] == ["$C", "$"]


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_every_walk_is_answered_and_never_more_than_the_limit_at_once(thread: LoopThread, limit: int) -> None:
    server = Server(opens_at=min(limit, 30))
    traces = list(run_concurrently(map(walk, range(30)), server.answer, thread.loop, limit))
    assert sorted(int(trace.request.name) for trace in traces) == list(range(30))
    assert all(trace.ids == SAYS for trace in traces)
    assert server.most_now == min(limit, 30)


def test_walks_are_taken_in_the_callers_thread_and_only_as_others_end(thread: LoopThread) -> None:
    taken: list[int] = []

    def walks() -> Iterator[Walk]:
        for number in range(9):
            assert threading.current_thread() is threading.main_thread()
            taken.append(number)
            yield walk(number)

    traces = run_concurrently(walks(), Server().answer, thread.loop, 2)
    for num_done in range(1, 10):
        next(traces)
        assert len(taken) <= num_done + 2
    assert list(traces) == []


def test_a_caller_who_takes_time_loses_nothing(thread: LoopThread) -> None:
    names = []
    for trace in run_concurrently(map(walk, range(12)), Server().answer, thread.loop, 4):
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), thread.loop).result()
        names.append(int(trace.request.name))
    assert sorted(names) == list(range(12))


def test_no_walks_are_no_traces(thread: LoopThread) -> None:
    assert list(run_concurrently([], Server().answer, thread.loop, 4)) == []


def test_what_an_answer_raises_is_raised_here_and_the_rest_is_cancelled(thread: LoopThread) -> None:
    server = Server(fails_at=2, opens_at=99)
    with pytest.raises(ConnectionError, match="the server is gone"):
        list(run_concurrently(map(walk, range(9)), server.answer, thread.loop, 3))
    assert server.num_now == 0
    assert sorted(server.cancelled) == ["0", "1"]


def test_what_the_walks_raise_is_raised_here(thread: LoopThread) -> None:
    server = Server(opens_at=99)

    def walks() -> Iterator[Walk]:
        yield walk(0)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(run_concurrently(walks(), server.answer, thread.loop, 3))
    assert server.num_now == 0


def test_a_caller_who_stops_listening_cancels_what_is_under_way(thread: LoopThread) -> None:
    server = Server()
    with closing(run_concurrently(map(walk, range(50)), server.answer, thread.loop, 5)) as traces:
        next(traces)
    assert server.num_now == 0
    assert server.num_calls < 2 * 50


def test_two_runs_share_a_loop(thread: LoopThread) -> None:
    one, two = (run_concurrently(map(walk, range(6)), Server().answer, thread.loop, 2) for _ in range(2))
    pairs = list(zip(one, two, strict=True))
    assert len(pairs) == 6


def test_a_run_outlives_its_loop_without_hanging() -> None:
    thread, server = LoopThread("test"), Server()
    traces = run_concurrently(map(walk, range(9)), server.answer, thread.loop, 3)
    next(traces)
    thread.close()
    traces.close()


def test_a_loop_is_closed_once_however_often_it_is_asked_and_cancels_what_is_under_way() -> None:
    thread, server = LoopThread("test"), Server(opens_at=99)
    future = asyncio.run_coroutine_threadsafe(server.answer(walk(7)), thread.loop)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), thread.loop).result()
    thread.close()
    thread.close()
    assert future.cancelled()
    assert server.cancelled == ["7"]
    assert thread.loop.is_closed()
