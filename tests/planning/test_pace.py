import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.planning.lengths import Lengths
from elastic_reasoning.planning.pace import Pace, TimedWalk, busy_seconds, fitted
from elastic_reasoning.planning.simulation import SimulatedEngine, stand_in
from random_words import TEMPLATE


def simulated(pace: Pace, rows: int, lengths: list[int]) -> list[TimedWalk]:
    """What walks of these lengths take, by the clock of the simulation."""
    engine = SimulatedEngine(stand_in(TEMPLATE), None, rows, Lengths(), pace, lambda messages: Prompt(()))
    walks = [
        Walk(Request(Prompt((number,), Thinking.OPEN), Budget(length, 1), name=str(number)), engine.template)
        for number, length in enumerate(lengths)
    ]
    began, timed = {}, []
    waiting = iter(walks)
    for walk in waiting:
        began[id(walk)] = engine.seconds
    for walk in walks:
        future = engine.submit([walk])[0]
        future.add_done_callback(
            lambda _, walk=walk: timed.append(
                TimedWalk(0.0, engine.seconds, sum(len(s.completion.ids) for s in walk.steps), len(walk.steps))
            )
        )
    engine.work(None, lambda: False)
    return timed


@settings(max_examples=20)
@given(
    step=st.floats(0.001, 1.0),
    row=st.floats(0.0001, 0.1),
    lengths=st.lists(st.integers(5, 90), min_size=4, max_size=12),
)
def test_a_pace_is_found_again_from_what_walks_took(step: float, row: float, lengths: list[int]) -> None:
    pace = Pace(step_seconds=step, row_seconds=row)
    runs = [simulated(pace, rows, lengths[:rows]) for rows in (1, 2, 4)]
    found = fitted(runs)
    for rows in (1, 3):
        assert found.seconds_of_step(rows) == pytest.approx(pace.seconds_of_step(rows), rel=0.1)


def test_a_pace_is_never_negative() -> None:
    slow_alone = [TimedWalk(0, 10, 10, 1)]
    fast_together = [TimedWalk(0, 1, 10, 1) for _ in range(8)]
    found = fitted([slow_alone, fast_together])
    assert min(found.step_seconds, found.row_seconds, found.call_seconds) >= 0
    assert fitted([[], []]) == Pace()


def test_busy_is_when_anything_is_under_way() -> None:
    walks = [TimedWalk(0, 4, 1, 1), TimedWalk(1, 2, 1, 1), TimedWalk(3, 5, 1, 1), TimedWalk(8, 9, 1, 1)]
    assert busy_seconds(walks) == 6
    assert busy_seconds([]) == 0
