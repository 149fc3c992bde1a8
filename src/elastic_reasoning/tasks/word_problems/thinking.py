"""What a warm start learns from: word problems with a thinking in short sentences, a step a line, and a solution.

    {"problem": "Ana has 12 apples. ...", "thinking": "3 * 4 = 12.\\n12 + 12 = 24.\\nSo the answer is 24.",
     "solution": "Ana has \\\\boxed{24} apples in the end.", "finished": true}

A verbosity is drawn for each row, so that training under a budget has something to choose from. Brief thoughts are the
calculations alone. The others write whole sentences; the more verbose, the more often they restate the question, quote
the problem, check a step, and at the end go through all of it again.

Some thoughts break off, early more often than late, and the solution goes on from there with the calculations that are
missing: this teaches a solution to continue an unfinished thought. Some solutions begin as those do that budget forcing
(S1) asks for.
"""

import random
import re
from collections.abc import Iterator
from typing import Any

from elastic_reasoning.tasks.word_problems.moves import Step
from elastic_reasoning.tasks.word_problems.stories import Story, stories

VERBOSITY_POWER = 0.6  # a uniform number to this power
BRIEF_BELOW = 0.3  # verbosity of brief thoughts: about one in seven
BROKEN_SHARE = 0.16
FINAL_ANSWER_SHARE = 0.08
FINAL_ANSWER = "Final Answer:"
LONGEST = 800
"""Characters of a thinking, about three to a token."""
INVERSE = {"+": "-", "-": "+", "*": "/", "/": "*"}
PIECE = re.compile(r"\s*(?:\d|[^\W\d]+|[^\w\s])")
"""Where a thought can break off: between words, signs and digits, as tokens do."""

Line = tuple[str, int]
"""A line of a thought, and how many steps are taken when it is written."""


def thoughts(seed: int) -> Iterator[dict[str, Any]]:
    """An endless stream of rows over training problems, the same for the same seed."""
    rng = random.Random(f"word problems, thoughts {seed}")
    return (row(story, rng) for story in stories("train", seed))


def row(story: Story, rng: random.Random) -> dict[str, Any]:
    """A problem with a thought of random verbosity and its solution."""
    lines = draw_thought(story, rng)
    thinking, num_done = "\n".join(text for text, _ in lines), len(story.steps)
    broken = rng.random() < BROKEN_SHARE
    if broken:
        pieces = PIECE.findall(thinking)
        thinking = "".join(pieces[: max(1, int(len(pieces) * rng.random() ** 2))])
        num_done = _num_done(lines, len(thinking))
    if rng.random() < FINAL_ANSWER_SHARE:
        solution = rf"{FINAL_ANSWER} \boxed{{{story.answer}}}"
    else:
        solution = "\n".join([*(f"{step}." for step in story.steps[num_done:]), story.solution])
    return {"problem": story.text, "thinking": thinking, "solution": solution, "finished": not broken}


def draw_thought(story: Story, rng: random.Random) -> list[Line]:
    """The lines of a complete thought; one that is too long is drawn again with a lower verbosity."""
    verbosity = rng.random() ** VERBOSITY_POWER
    while True:
        lines = _draw_thought(story, verbosity, rng)
        if sum(len(text) + 1 for text, _ in lines) <= LONGEST:
            return lines
        verbosity *= rng.random()


def _draw_thought(story: Story, verbosity: float, rng: random.Random) -> list[Line]:
    if verbosity < BRIEF_BELOW:
        return [*_brief(story), (f"So the answer is {story.answer}.", len(story.steps))]
    lines: list[Line] = [("Let me think about this step by step.", 0)]
    num_done = 0
    if rng.random() < verbosity / 2:
        lines.append((f"The question is: {story.question}", 0))
    for event in story.events:
        if rng.random() < 0.4 * verbosity or not event.steps:
            lines.append((f"I read: {event.told}", num_done))
        for step, thought in zip(event.steps, event.thoughts, strict=True):
            num_done += 1
            lines.append((thought, num_done))
            if rng.random() < 0.3 * verbosity:
                lines.append((check(step), num_done))
    lines.append((f"So the answer is {story.answer}.", num_done))
    if rng.random() < verbosity / 3:
        again = [text for text, _ in _brief(story)]
        lines += [(text, num_done) for text in ("Let me go through it again.", *again)]
        lines.append((f"It is {story.answer} again.", num_done))
    return lines


def _brief(story: Story) -> list[Line]:
    return [(f"{step}.", number) for number, step in enumerate(story.steps, 1)]


def check(step: Step) -> str:
    """A verification of a step by the operation that takes it back."""
    back = Step(step.result, INVERSE[step.sign], step.right)
    return f"Let me check: {back}. That is right."


def _num_done(lines: list[Line], num_characters: int) -> int:
    """How many steps are taken when so many characters of the thought are written."""
    num_done = end = 0
    for text, steps_then in lines:
        end += len(text)
        if end > num_characters:
            break
        num_done, end = steps_then, end + 1
    return num_done
