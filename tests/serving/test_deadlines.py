import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.segment import Finish, Phase
from serving.simulated import CAPACITY, Row, Simulation, poisson


def steady(num_rows: int) -> float:
    """Seconds a step."""
    return 0.005 + 0.001 * num_rows


def known(step_seconds=steady) -> Simulation:
    """A simulation whose pace is known for every load."""
    simulation = Simulation(steady)
    simulation.learn()
    simulation.step_seconds = step_seconds
    return simulation


def closed(row: Row) -> bool:
    return row.trace.closed_by_deadline


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.5, 60.0), st.floats(0.2, 2.0))
def test_no_promise_is_broken_while_the_pace_is_as_it_was_learned(seed: int, rate: float, least: float) -> None:
    simulation = known()
    poisson(simulation, random.Random(seed), rate, 60, (least, 2 * least))
    simulation.run()
    for row in simulation.rows:
        assert row.margin >= 0
        assert row.trace.num_solution_tokens
    assert not simulation.deadlines.under_way


def test_solutions_are_hardly_ever_cut() -> None:
    simulation = known()
    poisson(simulation, random.Random(1), 12.0, 400, (0.5, 3.0))
    simulation.run()
    assert sum(map(closed, simulation.rows)) > 100
    assert sum(row.progress.is_cut for row in simulation.rows) < 5


def test_thinking_is_closed_at_the_last_moment_that_leaves_the_solution_its_time() -> None:
    simulation = known()
    simulation.ask(1.0, num_thinking=400, num_solution=20)
    simulation.run()
    [row] = simulation.rows
    assert closed(row)
    assert row.trace.num_solution_tokens == 20
    assert 0 <= row.margin < 0.25  # of 0.12 seconds for the solution
    assert row.trace.num_thinking_tokens > 100


def test_an_answer_that_is_over_before_is_left_alone() -> None:
    simulation = known()
    simulation.ask(10.0, num_thinking=30, num_solution=5)
    simulation.run()
    [row] = simulation.rows
    assert [segment.finish for segment in row.trace.segments if segment.finish] == [
        Finish.DELIMITER,
        Finish.EOS,
    ]
    assert row.trace.num_thinking_tokens == 30


def test_a_slowdown_closes_earlier_and_keeps_the_promise() -> None:
    slow_from = 0.3
    simulation = known()
    simulation.step_seconds = lambda num: steady(num) * (4 if simulation.now > slow_from else 1)
    simulation.ask(2.0, num_thinking=400, num_solution=20)
    simulation.run()
    [row] = simulation.rows
    assert closed(row)
    assert row.margin >= 0
    assert row.trace.num_solution_tokens == 20


def test_a_solution_that_would_be_late_is_cut_and_is_not_empty() -> None:
    simulation = known()
    simulation.step_seconds = lambda num: steady(num) * (30 if simulation.now > 0.9 else 1)
    simulation.ask(1.2, num_thinking=400, num_solution=20)
    simulation.run()
    [row] = simulation.rows
    assert row.progress.is_cut
    assert row.trace.segments[-1].phase is Phase.SOLUTION
    assert row.trace.segments[-1].finish is Finish.DEADLINE
    assert 0 < row.trace.num_solution_tokens < 20


def test_what_could_never_be_kept_is_refused_with_the_earliest_time() -> None:
    simulation = known()
    simulation.ask(0.01, num_thinking=10, num_solution=20)
    [refusal] = simulation.refusals
    assert (refusal.status, refusal.code) == (400, "deadline_infeasible")
    simulation.ask(refusal.details["earliest_seconds"] + 0.001, num_thinking=10, num_solution=20)
    assert len(simulation.rows) == 1


def test_what_would_break_a_promise_is_refused_until_that_is_over() -> None:
    simulation = known()
    simulation.step_seconds = steady
    for _ in range(CAPACITY - 2):
        simulation.ask(30.0, num_thinking=400, num_solution=20)
    simulation.ask(0.75, num_thinking=400, num_solution=20)
    [refusal] = simulation.refusals
    assert (refusal.status, refusal.code) == (429, "deadline_busy")
    assert int(refusal.headers["Retry-After"]) >= 1
    simulation.run()
    assert all(row.margin >= 0 for row in simulation.rows)


def test_a_walk_that_waits_for_a_place_begins_with_its_solution_where_time_is_short() -> None:
    simulation = known()
    for _ in range(CAPACITY):
        simulation.ask(None, num_thinking=100, num_solution=20, budget="100+20")
    simulation.ask(4.0, num_thinking=400, num_solution=20)
    simulation.run()
    assert simulation.rows[-1].margin >= 0
    assert simulation.rows[-1].trace.num_solution_tokens == 20


def test_nothing_is_known_of_a_model_at_first_and_the_first_request_teaches() -> None:
    simulation = Simulation(steady)
    simulation.ask(5.0, num_thinking=400, num_solution=20)
    simulation.run()
    [row] = simulation.rows
    assert simulation.pace.is_known
    assert simulation.pace.token_seconds(1, simulation.now) == pytest.approx(steady(1), rel=0.05)
    assert row.margin >= 0
