"""How a scene is written: what may happen in it, in sentences with places for names and numbers, and words for these.

Places: `{who}` the one that the problem is about, `{She}`, `{she}` and `{her}` for that one, `{other}` somebody else,
`{things}` what is counted, `{n}` and `{k}` the numbers, `{times}` and `{half}` the word for k, `{whole}` how often
k goes into what was there, and in sentences of a thought `{sum}`, a calculation with its result.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "start", "start groups", "add", "subtract", "times", "share", "add groups", "subtract groups", "change", "left over"
]
"""What a move does to the number v that stands there:

start: it is n. start groups: it is k * n. add: v + n. subtract: v - n. times: v * k. share: v / k, without a rest.
add groups: v + k * n. subtract groups: v - k * n. change: n - v. left over: what is left of v when k is taken away as
often as it goes.
"""


@dataclass(frozen=True, slots=True)
class Move:
    """Something that happens.

    Attributes:
        kind: what it does to the number.
        told: how the problem tells it, of which one is drawn.
        groups: how a thought says the product of a move that takes two calculations.
        now: how a thought says the new number; as the scene does if empty.
        shifts: whether the problem is about `{other}` from here on.
        question, solution: of a move that only the last one can be; as the scene asks if empty.
    """

    kind: Kind
    told: tuple[str, ...]
    groups: str = ""
    now: str = ""
    shifts: bool = False
    question: str = ""
    solution: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a problem is about.

    Attributes:
        name: of the scene.
        things: what is counted, of which one is drawn.
        starts, moves, ends: how it begins, what happens, and what can happen last.
        now: how a thought says the new number, of which one is drawn each time.
        question: what is asked for.
        solution: the sentence that answers it, with `{answer}`.
    """

    name: str
    things: tuple[str, ...]
    starts: tuple[Move, ...]
    moves: tuple[Move, ...]
    ends: tuple[Move, ...]
    now: tuple[str, ...]
    question: str
    solution: str


NAMES = {
    "She": ("Ana", "Mia", "Zoe", "Lily", "Emma", "Nora", "Ruth", "Sara", "Kate", "Ivy", "Lucy", "Amy", "Rosa", "Jane"),
    "He": ("Ben", "Tom", "Leo", "Max", "Sam", "Paul", "Jack", "Noah", "Adam", "Luke", "Omar", "Ivan", "Hugo", "Karl"),
}
"""First names by the word that stands for each."""
HER = {"She": "her", "He": "him"}
TIMES = {2: "twice", 3: "three times", 4: "four times"}
PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}
