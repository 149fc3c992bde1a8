"""What a pool does with any order of results and losses, on a cluster that a test moves by hand."""

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.ray.pool import LOOK_SECONDS, MOST_LOSSES, Pool
from elastic_reasoning.engines.ray.worker import Failed
from stand_in_cluster import StandInCluster

NODE = "its machine is gone"
PROCESS = "its process died"


class Events(SimpleQueue[Any]):
    """What a pool waits for: each wait is a turn of a test, and takes no time but the test's own."""

    def __init__(self, run: "Run", turn: Callable[["Run"], None]) -> None:
        self.run, self.turn = run, turn

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if block:
            self.run.now += LOOK_SECONDS
            self.turn(self.run)
        return super().get(block=False)

    def get_nowait(self) -> Any:
        return self.get(block=False)


class Run:
    """A pool over items of numbers, each of which is a result; time goes on at each turn."""

    def __init__(self, items: list[tuple[int, ...]], cluster: StandInCluster | None = None, **settings: Any) -> None:
        self.cluster = cluster or StandInCluster(lambda item: item)
        self.notes: list[str] = []
        self.got: list[Any] = []
        self.now = 0.0
        waiting = iter(items)
        self.pool = Pool(
            self.cluster,
            lambda: next(waiting, None),
            self.again,
            lambda item, error: [(number, error) for number in item],
            on_note=self.notes.append,
            clock=lambda: self.now,
            **settings,
        )

    def again(self, item: tuple[int, ...], apart: bool) -> Iterator[tuple[int, ...]]:
        left = tuple(number for number in item if number not in self.got)
        yield from ((number,) for number in left) if apart else [left] * bool(left)

    def through(self, turn: Callable[["Run"], None]) -> list[Any]:
        """Run to the end; before each wait of the pool a turn is taken."""
        self.pool._events = Events(self, turn)
        for result in self.pool.run():
            self.got.append(result)
        return self.got


def first_answers(run: Run) -> None:
    for worker in run.cluster.calling[:1]:
        worker.answer()


def all_answer(run: Run) -> None:
    for worker in run.cluster.calling:
        worker.answer()


def items_of(sizes: list[int]) -> list[tuple[int, ...]]:
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    return [tuple(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]


@pytest.mark.parametrize("turn", [first_answers, all_answer])
def test_every_item_is_done_once(turn: Callable[[Run], None]) -> None:
    run = Run(items_of([3, 1, 4, 1, 5]))
    assert sorted(run.through(turn)) == [*range(14)]
    assert run.cluster.made == run.got
    assert all(worker.is_stopped for worker in run.cluster.workers)
    assert run.notes == []


def test_nothing_is_started_for_nothing() -> None:
    run = Run([])
    assert run.through(all_answer) == []
    assert run.cluster.workers == []


@given(
    sizes=st.lists(st.integers(1, 5), max_size=12),
    num_rooms=st.integers(1, 4),
    moves=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["answer"] * 6 + [NODE, PROCESS])), max_size=80),
)
def test_whatever_is_lost_nothing_is_missing_and_nothing_double(
    sizes: list[int], num_rooms: int, moves: list[tuple[int, str]]
) -> None:
    """Losses in any order; behind them everyone answers. A loss costs at most one item's work."""
    waiting = iter(moves)
    repeated = 0

    def turn(run: Run) -> None:
        nonlocal repeated
        if not run.cluster.calling:
            return
        index, move = next(waiting, (0, "all"))
        worker = run.cluster.calling[index % len(run.cluster.calling)]
        if move == "all":
            all_answer(run)
        elif move == "answer":
            worker.answer()
        else:
            repeated += max(sizes, default=0)
            worker.lose(move if worker.is_open else NODE)

    cluster = StandInCluster(lambda item: item, num_rooms)
    run = Run(items_of(sizes), cluster)
    got = run.through(turn)
    done = [each for each in got if isinstance(each, int)]
    given_up = [each[0] for each in got if isinstance(each, tuple)]
    assert sorted(done + given_up) == [*range(sum(sizes))]
    assert len(cluster.made) - len(done) <= repeated
    if [move for _, move in moves].count(PROCESS) < MOST_LOSSES:
        assert not given_up


def test_what_kills_its_workers_is_given_up_and_the_rest_of_its_item_is_not() -> None:
    def turn(run: Run) -> None:
        for worker in run.cluster.calling:
            if worker.is_open and worker.items and 2 in worker.items[0][1] and not worker.left:
                worker.lose(PROCESS)
            else:
                worker.answer()

    run = Run(items_of([2, 3, 2]), StandInCluster(lambda item: item, 1))
    got = run.through(turn)
    assert sorted(each for each in got if isinstance(each, int)) == [0, 1, 3, 4, 5, 6]
    assert [each for each in got if isinstance(each, tuple)] == [(2, f"3 workers died at it: {PROCESS}")]


def test_machines_that_are_lost_are_not_an_items_fault() -> None:
    num_lost = 0

    def turn(run: Run) -> None:
        nonlocal num_lost
        for worker in run.cluster.calling:
            if worker.is_open and num_lost < 10:
                num_lost += 1
                worker.lose(NODE)
            else:
                worker.answer()

    assert sorted(Run(items_of([3])).through(turn)) == [0, 1, 2]
    assert num_lost == 10


def test_an_exception_is_tried_elsewhere_and_then_raised() -> None:
    cluster = StandInCluster(lambda item: [Failed("ValueError: no")] if 1 in item else item)
    run = Run(items_of([1, 1, 1]), cluster)
    with pytest.raises(EngineError, match=r"on machine .: ValueError: no"):
        run.through(all_answer)
    assert run.pool.num_lost == 3
    assert all(worker.is_stopped for worker in cluster.workers)


def test_a_worker_that_cannot_begin_ends_the_run_at_once() -> None:
    cluster = StandInCluster(lambda item: item)
    cluster.refusal = "no such model"
    with pytest.raises(EngineError, match=r"^a worker cannot begin: no such model$"):
        Run(items_of([1, 1]), cluster).through(first_answers)
    assert len(cluster.workers) == 2


def test_where_others_work_one_that_cannot_begin_is_started_again() -> None:
    def turn(run: Run) -> None:
        open_workers = [worker for worker in run.cluster.workers if worker.is_open]
        run.cluster.refusal = "out of memory" if len(open_workers) == 1 else ""
        first_answers(run) if len(run.cluster.workers) > 2 or not open_workers else run.cluster.calling[-1].answer()

    run = Run(items_of([1] * 9))
    assert sorted(run.through(turn)) == [*range(9)]
    assert run.notes == ["a worker could not begin, another one is started: out of memory"]


def test_it_waits_where_no_worker_is_left_says_so_and_goes_on_when_one_joins() -> None:
    def turn(run: Run) -> None:
        if run.now < 30:
            all_answer(run)
        elif run.now < 40:
            for worker in run.cluster.calling:
                worker.lose(NODE)
            run.cluster.num_rooms = 0
        elif run.now > 1000:
            run.cluster.num_rooms = 1
            all_answer(run)

    run = Run(items_of([6] * 20))
    assert sorted(run.through(turn)) == [*range(120)]
    words = [note for note in run.notes if "waiting for one: room for 0" in note]
    assert 3 <= len(words) <= 8


@pytest.mark.parametrize(("bounds", "num_rooms", "most"), [((1, 3), 9, 3), ((1, None), 4, 4), ((3, None), 1, 3)])
def test_there_are_as_many_workers_as_there_is_room_and_work_for(
    bounds: tuple[int, int | None], num_rooms: int, most: int
) -> None:
    for num_items, expected in ((20, most), (2, 2)):
        run = Run(items_of([2] * num_items), StandInCluster(lambda item: item, num_rooms), bounds=bounds)
        run.through(all_answer)
        assert len(run.cluster.workers) == expected


def test_workers_are_added_when_machines_join_and_ended_when_there_is_no_more_work_for_them() -> None:
    def turn(run: Run) -> None:
        run.cluster.num_rooms = 1 if run.now < 10 else 3
        for worker in run.cluster.calling[: 3 if run.now < 60 else 1]:
            worker.answer()

    run = Run(items_of([4] * 12 + [200]), StandInCluster(lambda item: item, 1))
    assert sorted(run.through(turn)) == [*range(248)]
    assert len(run.cluster.workers) == 3
    assert run.pool.members == {}
    assert run.pool.seconds() < 3 * run.now * 0.9


def test_at_the_end_no_item_waits_behind_another_one() -> None:
    run = Run(items_of([5] * 4), StandInCluster(lambda item: item, 4))
    run.through(all_answer)
    assert sorted(worker.num_made for worker in run.cluster.workers) == [5, 5, 5, 5]


def test_when_the_caller_stops_all_workers_are_ended() -> None:
    run = Run(items_of([5] * 4))

    def turn(run: Run) -> None:
        if len(run.got) >= 3:
            raise KeyboardInterrupt
        all_answer(run)

    with pytest.raises(KeyboardInterrupt):
        run.through(turn)
    assert len(run.cluster.workers) == 2
    assert all(worker.is_stopped for worker in run.cluster.workers)


def test_one_that_stays_takes_items_until_it_is_stopped() -> None:
    run = Run([], stays=True)
    items = items_of([1, 1])
    run.pool._next_item = lambda: items.pop() if items else None

    def turn(run: Run) -> None:
        all_answer(run)
        if run.now == 100:
            items.append((7,))
        if run.now == 400:
            run.pool.stop()

    assert sorted(run.through(turn)) == [0, 1, 7]
    assert run.now == 400
