"""Walks through workers in threads: what comes back is what the worker's engine alone would have made."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Delta, Listen
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.ray import answering
from elastic_reasoning.engines.ray.answering import Answering
from elastic_reasoning.engines.ray.driver import Driver
from random_words import TEMPLATE, load_engine
from stand_in_cluster import ThreadCluster


class OpenScripted:
    """Opens a worker's engine."""

    def __call__(self) -> Answering:
        return Answering(load_engine(None, "one"))


class Waiting:
    """An engine that keeps walks until they are interrupted."""

    template, context, note, capacity = TEMPLATE, 80, "waits", 4
    begun = threading.Event()

    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        jobs = [Job(walk, listen, until) for walk in walks]
        inner = load_engine(None, "one")
        for job in jobs:
            job.walk.when_interrupted(lambda job=job: threading.Thread(target=self._end, args=(inner, job)).start())
        self.begun.set()
        return [job.future for job in jobs]

    def _end(self, inner, job: Job) -> None:
        [future] = inner.submit([job.walk])
        future.result()
        job.finish()


class OpenWaiting:
    def __call__(self) -> Answering:
        return Answering(Waiting())


class OpenBroken:
    def __call__(self) -> Answering:
        raise EngineError("no such model")


class Remote:
    """What `RayEngine` is, but for Ray."""

    def __init__(self, open_work, rows: int = 4) -> None:
        self.cluster = ThreadCluster(lambda slot: open_work)
        self.driver = Driver(self.cluster, EngineConfig("ray", max_rows=rows))
        self.template, self.context = TEMPLATE, 80

    @property
    def capacity(self) -> int:
        return self.driver.capacity

    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        jobs = [Job(walk, listen, until) for walk in walks]
        self.driver.take(jobs)
        return [job.future for job in jobs]


@pytest.fixture
def remote() -> Iterator[Remote]:
    remote = Remote(OpenScripted())
    yield remote
    remote.driver.close()
    assert all(worker.is_stopped for worker in remote.cluster.workers)


def requests(number: int) -> list[Request]:
    strategies = ("elastic", "vanilla", "s1", "unconstrained")
    return [
        Request(
            Prompt((10 + n % 3,), Thinking.OPEN),
            Budget(6, 4),
            strategies[n % 4],
            sampling=Sampling(seed=n),
            sample=n,
            name=str(n),
        )
        for n in range(number)
    ]


def walks(number: int) -> list[Walk]:
    return [Walk(request, TEMPLATE, 80) for request in requests(number)]


def test_traces_are_those_of_the_workers_engine(remote: Remote) -> None:
    alone = {trace.request.name: trace.segments for trace in run(load_engine(None, "one"), walks(40))}
    there = {trace.request.name: trace.segments for trace in run(remote, walks(40))}
    assert there == alone
    assert remote.driver.about.result().context == 80


def test_a_listener_is_told_all_when_a_walk_comes_back(remote: Remote) -> None:
    told: list[Delta] = []
    [walk] = walks(1)
    [future] = remote.submit([walk], told.append)
    trace = future.result(60).trace()
    assert tuple(token for delta in told for token in delta.ids) == trace.ids


def test_a_walk_may_be_handed_back_before_a_phase_and_go_on(remote: Remote) -> None:
    [walk], [alone] = walks(1), run(load_engine(None, "one"), walks(1))
    [future] = remote.submit([walk], until=Phase.SOLUTION)
    thought = future.result(60)
    assert thought.call is not None
    assert thought.call.phase is Phase.SOLUTION
    [future] = remote.submit([thought])
    assert future.result(60).trace().segments == alone.segments


def test_a_walk_that_cannot_be_run_is_data(remote: Remote) -> None:
    request = Request(Prompt(tuple(range(5, 9)) * 19, Thinking.OPEN), Budget(6, 4))
    [trace] = run(remote, [Walk(request, TEMPLATE, 80)])
    assert trace.error is not None


@pytest.mark.parametrize("how", ["interrupted", "cancelled"])
def test_an_interrupt_reaches_a_walk_where_it_is(how: str) -> None:
    Waiting.begun.clear()
    remote = Remote(OpenWaiting())
    try:
        [walk] = walks(1)
        [future] = remote.submit([walk])
        assert Waiting.begun.wait(60)
        if how == "cancelled":
            future.cancel()
        else:
            walk.interrupt(Finish.STOP)
            assert [str(s.finish) for s in future.result(60).trace().segments] == ["stop"]
    finally:
        remote.driver.close()


def test_what_is_under_way_is_given_up_when_it_is_closed() -> None:
    remote = Remote(OpenWaiting())
    futures = remote.submit(walks(20))
    remote.driver.close()
    ends = [future.result(60).trace().segments[-1].finish for future in futures]
    assert ends == [Finish.ABORT] * 20
    with pytest.raises(EngineError, match="the engine is closed: make another one"):
        remote.submit(walks(1))


def test_workers_that_cannot_begin_are_an_error_of_the_engine() -> None:
    remote = Remote(OpenBroken())
    with pytest.raises(EngineError, match=r"^a worker cannot begin: no such model$"):
        remote.driver.about.result(60)
    with pytest.raises(EngineError, match=r"^a worker cannot begin: no such model$"):
        remote.submit(walks(1))
    remote.driver.close()


def test_walks_of_one_prompt_go_together() -> None:
    sent: list[int] = []
    begin = Answering.begin

    class OpenSpied:
        def __call__(self) -> Answering:
            return Answering(load_engine(None, "one"))

    def spied(self, item, tell, end) -> None:
        if not isinstance(item, answering.Hello):
            sent.append(len(item))
            assert len({asked.request.prompt for asked in item}) == 1
        begin(self, item, tell, end)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Answering, "begin", spied)
        remote = Remote(OpenScripted())
        several = sorted(walks(9), key=lambda walk: walk.request.prompt.ids)
        for future in remote.submit(several):
            future.result(60)
        remote.driver.close()
    assert sent == [3, 3, 3]
