"""What happens in a word problem, as kinds and numbers, and the calculations that each takes.

    moves = draw_moves(scene, num_steps=4, rng=random.Random(0))
    moves[1].steps           # (Step(3, "*", 4), Step(12, "+", 12))

Every number stays between 1 and 120, and every division comes out even.
"""

import random
from dataclasses import dataclass
from typing import NamedTuple

from elastic_reasoning.tasks.word_problems.scene import PARTS, TIMES, Kind, Move, Scene

LARGEST = 120
END_SHARE = 0.4
"""Of the problems in which something happens that can only happen last."""
ROUND = (10, 20, 30, 50, 60, 80, 100, 120)
"""What is paid with, how far away something is, and the like."""


@dataclass(frozen=True, slots=True)
class Step:
    """One calculation, as "12 + 5 = 17"."""

    left: int
    sign: str
    right: int

    @property
    def result(self) -> int:
        """Of a division that comes out even."""
        match self.sign:
            case "+":
                return self.left + self.right
            case "-":
                return self.left - self.right
            case "*":
                return self.left * self.right
            case _:
                return self.left // self.right

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right} = {self.result}"


class Numbers(NamedTuple):
    """The numbers of a move; 0 for one that it does not have."""

    n: int
    k: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A move that was made.

    Attributes:
        move: what it is.
        before: the number that stood there.
        numbers: its own.
    """

    move: Move
    before: int
    numbers: Numbers

    @property
    def steps(self) -> tuple[Step, ...]:
        """The calculations that it takes; none for a number that a problem begins with."""
        return steps_of(self.move.kind, self.before, *self.numbers)

    @property
    def after(self) -> int:
        """The number that stands there now."""
        steps = self.steps
        return steps[-1].result if steps else self.numbers.n

    def __str__(self) -> str:
        return f"{self.move.kind} {self.numbers.n} {self.numbers.k}"


def draw_moves(scene: Scene, num_steps: int, rng: random.Random) -> list[Drawn] | None:
    """Moves that take so many steps, none twice in succession; `None` where those drawn led nowhere."""
    end = rng.choice(scene.ends) if rng.random() < END_SHARE else None
    drawn: list[Drawn] = []
    value, left = 0, num_steps
    while left or not drawn:
        if not drawn:
            move = rng.choice(scene.starts)
        elif end and left == len(steps_of(end.kind, 1, 1, 1)):
            move = end
        else:
            move = rng.choice(scene.moves)
        numbers = _draw_numbers(move.kind, value, rng)
        if numbers is None or (drawn and move is drawn[-1].move):
            return None
        drawn.append(Drawn(move, value, numbers))
        value, left = drawn[-1].after, left - len(drawn[-1].steps)
        if left < 0:
            return None
    return drawn


def _draw_numbers(kind: Kind, value: int, rng: random.Random) -> Numbers | None:
    """The numbers of a move from a value; `None` where none are allowed."""
    match kind:
        case "start":
            return Numbers(rng.randint(5, 40), 0)
        case "add":
            n = rng.randint(2, 20)
            return Numbers(n, 0) if value + n <= LARGEST else None
        case "subtract":
            n = rng.randint(2, 20)
            return Numbers(n, 0) if n < value else None
        case "change":
            larger = [number for number in ROUND if number > value]
            return Numbers(rng.choice(larger[:3]), 0) if larger else None
        case "times":
            return _one_of([k for k in TIMES if value * k <= LARGEST], rng)
        case "share":
            return _one_of([k for k in PARTS if value % k == 0 and value > k], rng)
        case "left over":
            return _one_of([k for k in range(3, 10) if value % k and value > k], rng)
    n, k = rng.randint(2, 12), rng.randint(2, 5)
    fits = n * k < value if kind == "subtract groups" else value + n * k <= LARGEST
    return Numbers(n, k) if fits else None


def _one_of(allowed: list[int], rng: random.Random) -> Numbers | None:
    return Numbers(0, rng.choice(allowed)) if allowed else None


def steps_of(kind: Kind, value: int, n: int, k: int) -> tuple[Step, ...]:
    """The calculations of a move from a value."""
    match kind:
        case "start":
            return ()
        case "start groups":
            return (Step(k, "*", n),)
        case "add":
            return (Step(value, "+", n),)
        case "subtract":
            return (Step(value, "-", n),)
        case "times":
            return (Step(value, "*", k),)
        case "share":
            return (Step(value, "/", k),)
        case "add groups":
            return Step(k, "*", n), Step(value, "+", k * n)
        case "subtract groups":
            return Step(k, "*", n), Step(value, "-", k * n)
        case "change":
            return (Step(n, "-", value),)
        case "left over":
            return Step(value // k, "*", k), Step(value, "-", value // k * k)
