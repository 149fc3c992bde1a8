"""The keeper of deadlines with a clock of the test's own, and rows in steps that last as long as the test says."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.vllm.deadlines import FEWEST_SOLUTIONS, FEWEST_TOKENS, Timed, TimeKeeper
from letters import letters

TEMPLATE = letters()
[END] = TEMPLATE.eos
[CLOSING] = TEMPLATE.closing.ids
STEP = 0.02


@dataclass
class Sequence:
    """What a model emits that thinks until it is closed, and solves in so many tokens."""

    timed: Timed
    length: int
    ended: float | None = None

    @property
    def solution(self) -> tuple[int, Finish | None]:
        return self.timed.row.solution

    @property
    def num_thinking(self) -> int:
        ids = self.timed.row.output
        return ids.index(CLOSING) if CLOSING in ids else len(ids)

    def emit(self) -> None:
        row = self.timed.row
        num_solution = len(row.output) - self.num_thinking - 1
        ends = CLOSING in row.output and num_solution >= self.length
        row.output.append(row.forced if row.forced is not None else END if ends else 9)


@dataclass
class World:
    """An engine whose steps last as long as it is told.

    Attributes:
        seconds: of a step, by its number.
    """

    seconds: Callable[[int], float] = lambda number: STEP
    now: float = 1000.0
    num_steps: int = 0
    running: list[Sequence] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keeper = TimeKeeper(lambda: self.now)

    def enter(
        self, seconds: float, length: int = 99, waited: float = 0.0, budget: str = "inf+20", **more: str
    ) -> Sequence:
        """A request that has waited so long, and is complete with so many solution tokens, and an end."""
        request = Request(Prompt((), Thinking.OPEN), Budget.parse(budget), deadline_seconds=seconds, **more)
        row = Row(Walk(request, TEMPLATE, 10_000), [], END)
        sequence = Sequence(Timed(row, self.now - waited + seconds, seconds), length)
        self.running.append(sequence)
        return sequence

    def run(self, sequence: Sequence) -> Sequence:
        """Go on until a sequence has ended."""
        while sequence.ended is None:
            self.step()
        return sequence

    def step(self) -> None:
        for one in self.running:
            one.timed.row.advance()
        self.keeper.close_due([one.timed for one in self.running])
        for one in self.running:
            one.emit()
        self.now += self.seconds(self.num_steps)
        self.num_steps += 1
        for one in self.running[:]:
            if one.timed.row.output[-1] == END:
                one.ended = self.now
                one.timed.row.advance()
                self.keeper.learn(one.timed)
                self.running.remove(one)


def test_thinking_is_closed_at_the_last_moment_that_leaves_the_solution_its_time() -> None:
    world = World()
    sequence = world.run(world.enter(2.0))
    assert sequence.solution == (20, Finish.LENGTH)
    assert 1002 - 12 * STEP < sequence.ended <= 1002


def test_a_budget_is_a_wall_before_the_deadline_too() -> None:
    world = World()
    sequence = world.run(world.enter(20.0, budget="7+5"))
    assert (sequence.num_thinking, sequence.solution) == (7, (5, Finish.LENGTH))


def test_a_solution_that_would_be_late_is_cut() -> None:
    world = World(lambda number: STEP if number < 70 else 3 * STEP)
    sequence = world.run(world.enter(2.0))
    assert sequence.solution[1] is Finish.DEADLINE
    assert 4 < sequence.solution[0] < 20
    assert sequence.ended <= 1002


def test_where_nothing_closes_thinking_time_ends_the_request() -> None:
    world = World()
    sequence = world.run(world.enter(1.0, budget="inf+inf", strategy="vanilla"))
    assert CLOSING not in sequence.timed.row.output
    assert 1001 - 6 * STEP < sequence.ended <= 1001


def test_what_has_waited_too_long_is_closed_at_once_and_has_a_few_tokens_to_answer() -> None:
    world = World()
    sequence = world.run(world.enter(2.0, waited=2.5))
    assert sequence.timed.row.output == [CLOSING, *[9] * FEWEST_TOKENS, END]


def test_a_solution_without_a_limit_has_half_of_the_time_until_lengths_are_known() -> None:
    world = World()
    unknown = world.run(world.enter(4.0, length=5, budget="inf+inf"))
    assert 0.4 * 4.0 < unknown.num_thinking * STEP < 0.5 * 4.0
    for _ in range(FEWEST_SOLUTIONS):
        world.run(world.enter(0.5, length=5, budget="inf+inf"))
    known = world.run(world.enter(4.0, length=5, budget="inf+inf"))
    assert known.solution == (6, Finish.EOS)
    assert known.num_thinking * STEP > 0.9 * 4.0
    assert world.run(world.enter(4.0, length=5, budget="inf+200")).num_thinking * STEP > 0.9 * 4.0


def test_solutions_that_time_has_cut_do_not_make_the_next_ones_shorter() -> None:
    world = World()
    for _ in range(FEWEST_SOLUTIONS):
        world.run(world.enter(2.0, length=20, budget="inf+inf"))
    before = world.run(world.enter(4.0, length=20, budget="inf+inf")).num_thinking
    for _ in range(100):
        world.run(world.enter(0.2, length=20, budget="inf+inf"))
    assert world.run(world.enter(4.0, length=20, budget="inf+inf")).num_thinking == before


def test_a_pace_of_long_ago_closes_nothing() -> None:
    world = World(lambda number: 0.5 if number < 50 else STEP)
    for _ in range(50):
        world.enter(60.0)
        world.step()
    world.running.clear()
    world.now += 60
    assert world.run(world.enter(4.0)).num_thinking * STEP > 0.7 * 4.0


paces = st.lists(st.floats(0.5, 2.0), min_size=10, max_size=40)
"""Steps may last so many times as long as others."""


@settings(max_examples=60)
@given(paces, st.lists(st.tuples(st.integers(0, 60), st.floats(0.5, 4.0)), min_size=1, max_size=8))
def test_whatever_the_pace_answers_are_in_time_and_have_a_solution(
    pace: list[float], arrivals: list[tuple[int, float]]
) -> None:
    world = World(lambda number: STEP * pace[number // 16 % len(pace)])
    asked = []
    for number in range(400):
        asked += [world.enter(seconds) for at, seconds in arrivals if at == number]
        world.step()
    for sequence in asked:
        assert sequence.ended is not None
        assert sequence.ended <= sequence.timed.at
        assert sequence.solution[0] > 0
