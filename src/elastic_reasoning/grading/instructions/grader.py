"""Grading of instructions that a program can check, as IFEval has them: all must be followed.

    instructions = (Instruction("punctuation:no_comma", {}), Instruction("startend:quotation", {}))
    with closing(InstructionGrader()) as grader:
        grader.grade("Say hello.", instructions, '"Hello there"')    # Grade(correct=True, ...)

The checks are lm-evaluation-harness's, in processes of their own (`checks`). The verdict is the strict one; what loose
checks say, which also look at the response without its first and last lines and without asterisks, is counted beside
it, for prompts and for instructions.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from elastic_reasoning.core.errors import GradingError, check_installed, require
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.tally import Tally
from elastic_reasoning.grading.workers import Workers

CHECKS = Path(__file__).with_name("checks.py")
PACKAGES = ("lm_eval", "langdetect", "immutabledict", "nltk")
SENTENCES = "tokenizers/punkt_tab/english/"
LIMITS = ("time limit", "memory limit")


class Instruction(NamedTuple):
    """One instruction: the name of its check, such as "punctuation:no_comma", and what the check is told."""

    name: str
    arguments: Mapping[str, Any]


def require_checks() -> None:
    """See that everything that checks need is here.

    Raises:
        MissingDependencyError: a package is not installed.
        GradingError: NLTK's model of sentences is missing, which checks would otherwise download when they start.
    """
    for package in PACKAGES:
        check_installed(package, "ifeval")
    try:
        require("nltk", "ifeval").data.find(SENTENCES)
    except LookupError:
        raise GradingError(
            "NLTK's model of English sentences (punkt_tab) is not here: run python -m nltk.downloader punkt_tab, "
            "or name a folder that holds tokenizers/punkt_tab in NLTK_DATA"
        ) from None


def complaint(instruction: Instruction) -> str | None:
    """Why an instruction cannot be checked, or `None`."""
    known = require("lm_eval.tasks.ifeval.instructions_registry", "ifeval").INSTRUCTION_DICT
    if instruction.name not in known:
        return f"an instruction that lm_eval checks, not {instruction.name!r}"
    check = known[instruction.name](instruction.name)
    try:
        check.build_description(**instruction.arguments)
    except Exception as error:  # a check refuses what it is told in whichever way
        return f"what {instruction.name} takes ({type(error).__name__}: {error})"
    missing = [key for key in check.get_instruction_args_keys() if instruction.arguments.get(key) is None]
    return f"{' and '.join(missing)} for {instruction.name}" if missing else None


class InstructionGrader:
    """Grades responses by the instructions that they follow, from any number of threads at once.

    Args:
        num_workers: processes, each started when it is first needed; 0 for as many as there are cores.
        timeout_seconds: processor time that one response may take.
    """

    def __init__(self, num_workers: int = 0, timeout_seconds: float = 20.0) -> None:
        self._workers = Workers(num_workers or os.cpu_count() or 1, CHECKS)
        self._timeout_seconds = timeout_seconds

    def grade(self, prompt: str, instructions: Sequence[Instruction], response: str) -> Grade:
        """Whether the response follows all instructions, strictly. The answer is the response itself.

        Raises:
            GradingError: a grading process does not start, or the grader is closed.
        """
        answer = response.strip()
        if not answer:
            return _grade(None, instructions, "0" * len(instructions), "0" * len(instructions), "no answer")
        asked = [(each.name, dict(each.arguments)) for each in instructions]
        outcome = self._workers.ask(prompt, asked, response, seconds=self._timeout_seconds)
        if outcome in LIMITS:
            return _grade(answer, instructions, "0" * len(instructions), "0" * len(instructions), outcome)
        strictly, loosely = outcome.split()
        missed = [each.name for each, follows in zip(instructions, strictly, strict=True) if follows == "0"]
        return _grade(answer, instructions, strictly, loosely, f"not followed: {', '.join(missed)}")

    def close(self) -> None:
        """End the processes."""
        self._workers.close()


def _grade(answer: str | None, instructions: Sequence[Instruction], strictly: str, loosely: str, reason: str) -> Grade:
    """The verdict, from a "1" for each instruction that is followed and a "0" for each other."""
    correct = "0" not in strictly
    tallies = (
        Tally("strict instructions", strictly.count("1"), len(instructions)),
        Tally("loose prompts", int("0" not in loosely), 1),
        Tally("loose instructions", loosely.count("1"), len(instructions)),
    )
    return Grade(correct, answer, None if correct else reason, tallies=tallies)
