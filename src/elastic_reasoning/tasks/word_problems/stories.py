"""Word problems that are drawn: what happens in one, in words, and its split.

story = next(stories("test"))
story.text                    # "Ana has 12 apples. She buys 3 bags with 4 apples each. How many apples ..."
[str(step) for step in story.steps]     # ["3 * 4 = 12", "12 + 12 = 24"]
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from elastic_reasoning.tasks.fingerprint import fingerprint
from elastic_reasoning.tasks.mathematics import boxed_problem
from elastic_reasoning.tasks.task import Problem, Split
from elastic_reasoning.tasks.word_problems.moves import Drawn, Step, draw_moves
from elastic_reasoning.tasks.word_problems.scene import HER, NAMES, PARTS, TIMES, Scene
from elastic_reasoning.tasks.word_problems.scenes import SCENES

NUM_STEPS = range(2, 9)
PRONOUNS = {name: word for word, names in NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        told: the problem's sentence.
        steps: the calculations that it takes.
        thoughts: a sentence for each, with the calculation in it.
    """

    told: str
    steps: tuple[Step, ...]
    thoughts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """A word problem.

    Attributes:
        events: what happened, in order.
        question: what is asked.
        sentence: the answer in a sentence, with "{answer}" for the number.
    """

    events: tuple[Event, ...]
    question: str
    sentence: str

    @property
    def text(self) -> str:
        """The problem as it is asked."""
        return " ".join([*(event.told for event in self.events), self.question])

    @property
    def steps(self) -> tuple[Step, ...]:
        """All calculations, in order; the last one gives the answer."""
        return tuple(step for event in self.events for step in event.steps)

    @property
    def answer(self) -> int:
        """The number that is asked for."""
        return self.steps[-1].result

    @property
    def solution(self) -> str:
        """The answer in a sentence, with the number in a box."""
        return self.sentence.replace("{answer}", rf"\boxed{{{self.answer}}}")

    def problem(self) -> Problem:
        """The story as a question whose answer is asked for in a box."""
        return boxed_problem(f"word-problems-{fingerprint(self.text)}", self.text, (str(self.answer),))


def stories(split: Split, seed: int = 0) -> Iterator[Story]:
    """An endless stream of different problems of one split, the same for the same seed.

    Each number of steps comes as often as the others.
    """
    rng = random.Random(f"word problems {split} {seed}")
    seen: set[str] = set()
    while True:
        scene, moves = _draw(rng)
        if split_of(scene, moves) == split:
            story = tell(scene, moves, rng)
            if story.text not in seen:
                seen.add(story.text)
                yield story


def _draw(rng: random.Random) -> tuple[Scene, list[Drawn]]:
    num_steps = rng.choice(NUM_STEPS)
    while True:
        scene = rng.choice(SCENES)
        moves = draw_moves(scene, num_steps, rng)
        if moves:
            return scene, moves


def split_of(scene: Scene, moves: Sequence[Drawn]) -> Split:
    """Eight tenths of all problems are for training, one tenth each for validation and test.

    It is read from a hash of the scene and of what happens with which numbers: problems that differ in names and words
    alone are in one split.
    """
    happens = " ".join([scene.name, *map(str, moves)])
    tenth = int.from_bytes(blake2b(happens.encode(), digest_size=6).digest(), "big") % 10
    return "test" if tenth == 0 else "validation" if tenth == 1 else "train"


def tell(scene: Scene, moves: Sequence[Drawn], rng: random.Random) -> Story:
    """Moves in words."""
    who, *others = rng.sample(sorted(PRONOUNS), len(moves) + 1)
    things = rng.choice(scene.things)
    words = _words(who, who, things)
    events = []
    for drawn, other in zip(moves, others, strict=True):
        move, (n, k) = drawn.move, drawn.numbers
        numbers = {"n": n, "k": k, "whole": drawn.before // max(k, 1), "times": TIMES.get(k), "half": PARTS.get(k)}
        words = _words(who, other, things)
        told = rng.choice(move.told).format(**words, **numbers)
        if move.shifts:
            who, words = other, _words(other, who, things)
        forms = [*filter(None, [move.groups]), move.now or rng.choice(scene.now)]
        thoughts = [form.format(**words, **numbers, sum=step) for form, step in zip(forms, drawn.steps, strict=False)]
        events.append(Event(told, drawn.steps, tuple(thoughts)))
    last = moves[-1].move
    question = (last.question or scene.question).format(**words, n=moves[-1].numbers.n)
    return Story(tuple(events), question, (last.solution or scene.solution).format(**words, answer="{answer}"))


def _words(who: str, other: str, things: str) -> dict[str, str]:
    she = PRONOUNS[who]
    return {"who": who, "other": other, "She": she, "she": she.lower(), "her": HER[she], "things": things}
