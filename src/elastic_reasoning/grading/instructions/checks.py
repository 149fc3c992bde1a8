"""Which instructions a response follows: a process of its own, because the checks may take endlessly long.

    python -P checks.py FD    # answers requests (prompt, instructions, response) until the connection is closed

The checks are those of Google's IFEval (Zhou et al. 2023, arXiv 2311.07911) as lm-evaluation-harness keeps them, called
by its own functions. Two things are mended here, which let the same response pass at one time and fail at another
(github.com/google-research/google-research/issues/3427):

- a language is recognised by draws, whose seed is set;
- "letters" that are signs, as the "#" and the "!" of two problems, are counted; published is a letter drawn at random.
"""

import random
from typing import Any

import langdetect
from lm_eval.tasks.ifeval.instructions_registry import INSTRUCTION_DICT
from lm_eval.tasks.ifeval.utils import InputExample, test_instruction_following_loose, test_instruction_following_strict

from elastic_reasoning.grading.process import serve

MEMORY_BYTES = 4 << 30
"""Of address space, of which the libraries take 1.6 GB."""
LETTERS = "keywords:letter_frequency"


class SignFrequency(INSTRUCTION_DICT[LETTERS]):
    """How often a letter or a sign stands in the response."""

    def build_description(self, *, letter: str | None = None, **others: Any) -> Any:
        """As published, but that the letter is the one that is given."""
        description = super().build_description(letter=letter, **others)
        if letter and len(letter) == 1:
            self._letter = letter.lower()
        return description


def verdict(prompt: str, instructions: list[tuple[str, dict[str, Any]]], response: str) -> str:
    """Which instructions are followed strictly, and which loosely, as "101 111"."""
    strictly = "".join(_follows(test_instruction_following_strict, prompt, each, response) for each in instructions)
    loosely = "".join(_follows(test_instruction_following_loose, prompt, each, response) for each in instructions)
    return f"{strictly} {loosely}"


def _follows(check: Any, prompt: str, instruction: tuple[str, dict[str, Any]], response: str) -> str:
    name, arguments = instruction
    random.seed(0)  # for what a check draws in place of an argument that it does not take
    try:
        found = check(InputExample(0, [name], prompt, [arguments]), response)
    except MemoryError:
        raise
    except Exception:  # what a check cannot read, as JSON nested too deep, does not follow it
        return "0"
    return str(int(found.follow_all_instructions))


if __name__ == "__main__":
    INSTRUCTION_DICT[LETTERS] = SignFrequency
    langdetect.DetectorFactory.seed = 0
    serve(verdict, MEMORY_BYTES)
