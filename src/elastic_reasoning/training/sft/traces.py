"""Rows of problem, thinking and solution as what supervised fine-tuning learns from.

    {"problem": "What is 2 + 3?", "thinking": "2 and 3 are 5.", "solution": "The answer is \\boxed{5}."}

The loss counts thinking, closing delimiter, solution and end of sequence. It leaves out the prompt, with the opening
delimiter that the chat template writes. In a row with "finished": false the thinking breaks off, and the solution goes
on from there: the closing delimiter, which a strategy would have forced, has no loss. Rows whose solutions hold their
own reasoning can also be broken off at random.
"""

import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.core.request import derived_seed
from elastic_reasoning.tasks.fields import Field, Row, read_field, text
from elastic_reasoning.tasks.rows import read_file


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


PROBLEM = Field(("problem",), text)
THINKING = Field(("thinking",), text)
SOLUTION = Field(("solution",), text)
FINISHED = Field(("finished",), _yes_or_no, default=True, required=False)
IGNORED = -100  # the label that the loss leaves out
AFTER_THINKING = "\n"
"""Between a finished thinking and the delimiter that closes it; a budget that cuts writes none."""

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Example:
    """A row in ids: prompt, thinking, closing delimiter, and solution with the end of sequence.

    `finished` says whether the thinking came to its end, so that closing it is to be learnt.
    """

    prompt: Ids
    thinking: Ids
    closing: Ids
    solution: Ids
    finished: bool = True

    def __len__(self) -> int:
        return sum(map(len, (self.prompt, self.thinking, self.closing, self.solution)))

    def labelled(self, cut: int | None = None) -> dict[str, list[int]]:
        """Ids and labels `[n]`, the thinking whole or cut to its first tokens."""
        closing_labels = self.closing if self.finished and cut is None else [IGNORED] * len(self.closing)
        learnt = [*self.thinking[:cut], *closing_labels, *self.solution]
        return {
            "input_ids": [*self.prompt, *self.thinking[:cut], *self.closing, *self.solution],
            "labels": [*[IGNORED] * len(self.prompt), *learnt],
        }


@dataclass(frozen=True, slots=True)
class Examples:
    """The rows of a file.

    Attributes:
        train: to learn from.
        held_out: of problems that are not learnt from, to measure on.
        num_too_long: rows that were left out because they are longer than the limit.
    """

    train: list[Example]
    held_out: list[Example]
    num_too_long: int


def read_examples(
    path: Path, renderer: Renderer, suffix: str, max_tokens: int | None, held_out_share: float
) -> Examples:
    """Read and encode the rows of a file; a problem is held out by a hash of its text, with all its rows.

    Args:
        path: JSON lines or Parquet with the fields problem, thinking and solution, and finished where it is not true.
        renderer: as `add_thinking_format` gave it.
        suffix: what is appended to every problem.
        max_tokens: of prompt and response; longer rows are left out and counted, never cut.
        held_out_share: of the problems, on average.

    Raises:
        TaskError: the file cannot be read, or a row lacks a field.
        TrainingError: a text contains a delimiter, or nothing is left to learn from or to measure on.
    """
    found: dict[bool, list[Example]] = {True: [], False: []}
    num_too_long = longest = 0
    for place, row in read_file(path):
        example = _encode(place, row, renderer, suffix)
        longest = max(longest, len(example))
        if max_tokens is not None and len(example) > max_tokens:
            num_too_long += 1
        else:
            held_out = derived_seed("held out", row["problem"]) < held_out_share * 2**64
            found[held_out].append(example)
    for held_out, what, fix in ((False, "learn from", "more rows"), (True, "measure on", "a larger held_out_share")):
        if not found[held_out]:
            left_out = f"{num_too_long} are longer than max_tokens {max_tokens}, up to {longest}; " * bool(num_too_long)
            raise TrainingError(f"{path} leaves no rows to {what}: {left_out}give {fix}")
    return Examples(found[False], found[True], num_too_long)


def _encode(place: str, row: Row, renderer: Renderer, suffix: str) -> Example:
    template, finished = renderer.template, read_field(FINISHED, place, row)
    problem, thinking, solution = (read_field(field, place, row) for field in (PROBLEM, THINKING, SOLUTION))
    for name, value in (("thinking", thinking), ("solution", solution)):
        for delimiter in (template.opening.text, template.closing.text):
            if delimiter in value:
                raise TrainingError(
                    f"{place}, field {name!r} contains {delimiter!r}: give thinking and solution without delimiters, "
                    "which are added"
                )
    prompt = renderer.prompt([{"role": "user", "content": f"{problem}{suffix}"}])
    return Example(
        array("i", prompt.ids),
        array("i", template.encode(f"{thinking.strip()}{AFTER_THINKING if finished else ''}")),
        template.closing.forced,
        array("i", (*template.encode(f"\n\n{solution.strip()}{template.frame[1]}"), renderer.tokenizer.eos_token_id)),
        finished,
    )


def draw_cut(example: Example, share: float, rng: random.Random) -> int | None:
    """How many tokens of thinking are kept where it is broken off, at random; `None` for the rest, which stay whole."""
    return rng.randrange(len(example.thinking)) if example.finished and rng.random() < share else None


def order(lengths: Sequence[int], num_steps: int, batch_size: int, seed: int) -> Iterator[int]:
    """Which example stands where, for all steps: pass after pass, each in an order of its own.

    Within a step the shorter come first, so that what is computed together is of similar length.
    """
    waiting: list[int] = []
    rng = random.Random(f"traces {seed}")
    for _ in range(num_steps):
        while len(waiting) < batch_size:
            waiting += rng.sample(range(len(lengths)), len(lengths))
        step, waiting = waiting[:batch_size], waiting[batch_size:]
        yield from sorted(step, key=lambda index: lengths[index])
