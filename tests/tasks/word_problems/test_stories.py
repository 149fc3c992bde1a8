"""Drawn word problems: right answers by another way of computing, splits that share nothing, sentences that fit."""

import random
import re
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from itertools import islice
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.mathematics import SUFFIX
from elastic_reasoning.tasks.task import Split
from elastic_reasoning.tasks.word_problems import SIZES
from elastic_reasoning.tasks.word_problems.moves import LARGEST, Drawn, Numbers, draw_moves
from elastic_reasoning.tasks.word_problems.scene import Scene
from elastic_reasoning.tasks.word_problems.scenes import SCENES
from elastic_reasoning.tasks.word_problems.stories import NUM_STEPS, Story, split_of, stories, tell

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
EFFECTS: dict[str, Callable[[Fraction, int, int], Fraction]] = {
    "start": lambda v, n, k: Fraction(n),
    "start groups": lambda v, n, k: Fraction(n * k),
    "add": lambda v, n, k: v + n,
    "subtract": lambda v, n, k: v - n,
    "times": lambda v, n, k: v * k,
    "share": lambda v, n, k: v / k,
    "add groups": lambda v, n, k: v + n * k,
    "subtract groups": lambda v, n, k: v - n * k,
    "change": lambda v, n, k: n - v,
    "left over": lambda v, n, k: v % k,
}
WORDS = {"twice": 2, "three times": 3, "four times": 4, "half": 2, "a third": 3, "a quarter": 4, "a fifth": 5}


def drawn(seed: int, num_steps: int) -> tuple[Scene, list[Drawn]]:
    """A problem of so many steps, before it is told."""
    rng = random.Random(seed)
    while True:
        scene = rng.choice(SCENES)
        if moves := draw_moves(scene, num_steps, rng):
            return scene, moves


@given(st.integers(0, 10_000), st.sampled_from(NUM_STEPS))
def test_the_answer_is_what_another_way_of_computing_gives(seed: int, num_steps: int) -> None:
    scene, moves = drawn(seed, num_steps)
    story = tell(scene, moves, random.Random(seed))
    value = Fraction(0)
    for move in moves:
        assert value == move.before
        value = EFFECTS[move.move.kind](value, *move.numbers)
        assert 1 <= value <= LARGEST
        assert value.denominator == 1
    assert story.answer == value
    assert len(story.steps) == num_steps
    assert rf"\boxed{{{value}}}" in story.solution


@given(st.integers(0, 10_000), st.sampled_from(NUM_STEPS))
def test_the_problem_tells_every_number_that_its_steps_need(seed: int, num_steps: int) -> None:
    scene, moves = drawn(seed, num_steps)
    story = tell(scene, moves, random.Random(seed))
    for event, move in zip(story.events, moves, strict=True):
        told = {int(number) for number in re.findall(r"\d+", event.told)}
        told |= {value for word, value in WORDS.items() if word in event.told}
        assert told >= {number for number in move.numbers if number}, event.told
        assert len(event.thoughts) == len(event.steps)
        assert all(str(step) in thought for step, thought in zip(event.steps, event.thoughts, strict=True))
    assert not re.search(r"[{}]", story.text)
    assert story.text.endswith("?")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_scene_has_every_move_of_its_own_in_words(scene: Scene) -> None:
    for number, move in enumerate((*scene.starts, *scene.moves, *scene.ends)):
        story = tell(
            scene, [Drawn(scene.starts[0], 0, Numbers(12, 2)), Drawn(move, 24, Numbers(6, 3))], random.Random(number)
        )
        assert not re.search(r"[{}]", story.text + story.sentence.replace("{answer}", "")), story
        assert bool(move.groups) == ("groups" in move.kind or move.kind == "left over"), move
        assert bool(move.question) == bool(move.solution) == (move in scene.ends)


def test_splits_are_disjoint_whatever_the_seeds_and_words() -> None:
    texts = {
        split: {story.text for seed in range(3) for story in islice(stories(split, seed), 100)} for split in SPLITS
    }
    assert texts["train"].isdisjoint(texts["test"] | texts["validation"])
    assert texts["validation"].isdisjoint(texts["test"])
    scene, moves = drawn(1, 4)
    assert len({tell(scene, moves, random.Random(seed)).text for seed in range(5)}) == 5
    assert split_of(scene, moves) in get_args(Split)


def test_a_stream_is_the_same_for_the_same_seed() -> None:
    first = [story.text for story in islice(stories("train", 1), 50)]
    assert first == [story.text for story in islice(stories("train", 1), 50)]
    assert first != [story.text for story in islice(stories("train", 2), 50)]
    assert len(set(first)) == 50


def test_every_number_of_steps_and_every_scene_comes() -> None:
    found: list[Story] = list(islice(stories("train"), 300))
    counts = [sum(len(story.steps) == number for story in found) for number in NUM_STEPS]
    assert min(counts) > 20
    assert sum(counts) == 300


def test_the_task() -> None:
    with closing(load_task(TaskConfig("word_problems"), GradingConfig(grading_workers=1))) as task:
        assert {split: len(task.problems(split)) for split in SPLITS} == SIZES
        problem = task.problems("test", 1)[0]
        assert problem.id == "word-problems-f351ee1da44d816e"
        assert problem.messages[0]["content"].endswith(f"? {SUFFIX}")
        assert task.grade(problem, rf"There are \boxed{{{problem.answer}}} left.").correct
        assert task.grade(problem, f"Final Answer: {problem.answer}").correct
        assert not task.grade(problem, rf"\boxed{{{int(problem.answer) + 1}}}").correct
        asked = [problem.messages[0]["content"] for split in SPLITS for problem in task.problems(split)]
        assert len(set(asked)) == len(asked)
    with pytest.raises(TaskError, match=r"data 'x.jsonl': means nothing to task word_problems"):
        load_task(TaskConfig("word_problems", data="x.jsonl"))
