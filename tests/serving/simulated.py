"""An engine in simulated time: rows that advance together, one token a step, and a step takes as long as is said."""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.scripted import word_template
from elastic_reasoning.serving.deadlines import Deadlines
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.pace import Pace
from elastic_reasoning.serving.progress import Progress, Promise

TEMPLATE = word_template("<think>", "</think>", "<eos>", words=["hm"])
[WORD] = TEMPLATE.encode("hm")
CAPACITY = 16


@dataclass
class Row:
    """A walk: how many tokens it would say, how far it has come, and when it was over."""

    walk: Walk
    num_tokens: dict[Phase, int]
    progress: Progress
    cursor: Cursor | None = None
    over_at: float | None = None

    def say(self) -> int:
        """The next token."""
        assert self.walk.call is not None
        phase = self.walk.call.phase
        self.num_tokens[phase] -= 1
        if self.num_tokens[phase] >= 0:
            return WORD
        return TEMPLATE.closing.ids[0] if phase is Phase.THINKING else min(TEMPLATE.eos)

    @property
    def trace(self) -> Trace:
        return self.walk.trace()

    @property
    def margin(self) -> float:
        """Seconds that were left when it was over."""
        assert self.over_at is not None
        assert self.progress.promise is not None
        return self.progress.promise.due - self.over_at


@dataclass
class Simulation:
    """Continuous batching.

    Attributes:
        step_seconds: of one step, by the number of rows.
        now: the time.
        rows: all that were admitted.
        refusals: all that were not.
    """

    step_seconds: Callable[[int], float]
    now: float = 0.0
    rows: list[Row] = field(default_factory=list)
    refusals: list[ApiError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._running: list[Row] = []
        self._waiting: list[Row] = []
        self._steps = False
        self.pace = Pace()
        self.deadlines = Deadlines(self.pace, CAPACITY, lambda: self.now, self.call_later)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something called."""
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), call))

    def learn(self) -> None:
        """Let the pace be known for every load."""
        for load in (1, 2, 4, 8, 16):
            for _ in range(50):
                self.pace.see_tokens(8, 8 * self.step_seconds(load), load, -1000.0)
        for _ in range(50):
            self.pace.see_first(4, 2 * self.step_seconds(1), 1, -1000.0)

    def ask(self, seconds: float | None, num_thinking: int, num_solution: int, budget: str = "400+20") -> None:
        """One request comes now."""
        walk = Walk(Request(Prompt((WORD,) * 4, Thinking.OPEN), Budget.parse(budget), "elastic"), TEMPLATE)
        promise = None if seconds is None else Promise(self.now, seconds)
        try:
            [progress] = self.deadlines.admit([walk], promise)
        except ApiError as error:
            self.refusals.append(error)
            return
        row = Row(walk, {Phase.THINKING: num_thinking, Phase.SOLUTION: num_solution - 1}, progress)
        self.rows.append(row)
        self._waiting.append(row)
        self._next()

    def _next(self) -> None:
        if not self._steps and (self._running or self._waiting):
            self._steps = True
            if not self._running or (CAPACITY - len(self._running)) * 8 >= CAPACITY:
                while self._waiting and len(self._running) < CAPACITY:
                    row = self._waiting.pop(0)
                    row.cursor = Cursor(row.walk, row.progress.tell)
                    self._running.append(row)
            self.call_later(self.step_seconds(len(self._running)), self._step)

    def _step(self) -> None:
        self._steps = False
        for row in list(self._running):
            assert row.cursor is not None
            if not row.cursor.done:
                row.cursor.wake([row.say()], None)
            if row.cursor.done:
                self._running.remove(row)
                row.over_at = self.now
                row.progress.end()
                row.progress.learn_lengths()
                self.deadlines.release([row.progress])
        self._next()

    def run(self) -> None:
        """Until nothing is left to do."""
        while self._events:
            self.now, _, call = heapq.heappop(self._events)
            call()


def poisson(
    simulation: Simulation, random_numbers: random.Random, rate: float, num: int, seconds: Sequence[float]
) -> None:
    """Have requests come at a rate, with deadlines in such a range."""
    at = 0.0
    for _ in range(num):
        at += random_numbers.expovariate(rate)
        within = random_numbers.uniform(*seconds)
        thinking, solution = random_numbers.randint(20, 200), random_numbers.randint(2, 20)
        simulation.call_later(at, lambda a=(within, thinking, solution): simulation.ask(*a))  # type: ignore[misc]
