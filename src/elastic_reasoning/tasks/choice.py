"""GPQA Diamond and MMLU-Pro: questions with up to ten options, of which a letter is the answer.

    task = load_task(TaskConfig("gpqa_diamond", data="gpqa_diamond.jsonl"))
    task.problems("test", limit=1)[0].messages[0]["content"]      # "Answer the following ... A) ... B) ..."
    task.grade(problem, "... so it is the second.\\n\\nAnswer: B")   # Grade(correct=..., answer="B", ...)

A question is asked in the words of simple-evals (github.com/openai/simple-evals), which DeepSeek-R1 and many others
were measured with, for both benchmarks: without examples, and with "Answer: $LETTER" on the last line. No box is asked
for, but a letter in one is understood (`grading.answers.short`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from string import ascii_uppercase
from typing import Any

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.answers.short import grade_choice
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Field, Row, read_field, text
from elastic_reasoning.tasks.fingerprint import fingerprint
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.rows import Hub
from elastic_reasoning.tasks.table import Grading, ProblemIds, TableTask, make_problem, source_rows, test_only
from elastic_reasoning.tasks.task import Problem

LETTERS = ascii_uppercase[:10]
PROMPT = """Answer the following multiple choice question. The last line of your response should be of the following \
format: 'Answer: $LETTER' (without quotes) where LETTER is one of {letters}. Think step by step before answering.

{question}

{options}"""

SHUFFLE_SEED = 0
"""Of the order of GPQA's options. Records made under another one are of other problems."""
NO_OPTION = "N/A"
"""What fills up the options of MMLU-Pro; its own evaluation leaves them out."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, the options as they are shown, and the letter of the right one."""

    text: str
    options: tuple[str, ...]
    letter: str


def _options(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("a list of texts")
    options = [each.strip() for each in value]
    while options and options[-1] == NO_OPTION:
        options.pop()
    if not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"2 to {len(LETTERS)} options")
    return tuple(options)


def _letter(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(f"[{LETTERS}]", value):
        raise ValueError(f"a letter from A to {LETTERS[-1]}")
    return value


QUESTION = Field(("Question", "question", "problem"), text)
RIGHT = Field(("Correct Answer",), text)
WRONG = tuple(Field((f"Incorrect Answer {number}",), text) for number in (1, 2, 3))
OPTIONS = Field(("options",), _options)
LETTER = Field(("answer",), _letter)


def _gpqa(place: str, row: Row) -> Question:
    """The right answer and three wrong ones, in an order that the seed, the question and the options decide."""
    question, right = read_field(QUESTION, place, row), read_field(RIGHT, place, row).strip()
    options = [right, *(read_field(field, place, row).strip() for field in WRONG)]
    key = f"{SHUFFLE_SEED} {fingerprint(question)}"
    shown = sorted(options, key=lambda option: blake2b(f"{key} {option}".encode()).digest())
    return Question(question, tuple(shown), LETTERS[shown.index(right)])


def _mmlu_pro(place: str, row: Row) -> Question:
    """The options in their published order."""
    options, letter = read_field(OPTIONS, place, row), read_field(LETTER, place, row)
    if letter not in LETTERS[: len(options)]:
        raise TaskError(f"{place}: its answer is {letter!r}; expected one of its {len(options)} options")
    return Question(read_field(QUESTION, place, row), options, letter)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows of a benchmark are, the names of their ids, and how a row is read."""

    hub: Hub
    id: tuple[str, ...]
    read: Callable[[str, Row], Question]


SOURCES = {  # the names that public code loads; unverified, like their revisions: no hub could be asked
    "gpqa_diamond": Source(Hub("Idavidrein/gpqa", config="gpqa_diamond", gated=True), ("id", "Record ID"), _gpqa),
    "mmlu_pro": Source(Hub("TIGER-Lab/MMLU-Pro", "test"), ("id", "question_id"), _mmlu_pro),
}
TASKS = tuple(SOURCES)


def load(task: TaskConfig, grading: GradingConfig) -> TableTask:
    """A benchmark of multiple choice with its grader.

    Raises:
        TaskError: rows that cannot be read or are malformed, or an option that means nothing here.
    """
    refuse_meaningless(task, grading, "data")
    source = SOURCES[task.name]
    ids = ProblemIds(task.name, source.id)
    rows = source_rows(task.name, task.data, (source.hub,))
    problems = [_problem(ids, place, row, source.read(place, row)) for place, row in rows]
    return TableTask(task.name, test_only(problems), Grading(_grade))


def _problem(ids: ProblemIds, place: str, row: Row, question: Question) -> Problem:
    lettered = [f"{letter}) {option}" for letter, option in zip(LETTERS, question.options, strict=False)]
    content = PROMPT.format(
        letters=LETTERS[: len(lettered)], question=question.text.strip(), options="\n".join(lettered)
    )
    return make_problem(
        ids.id_of(place, row, question.text),
        content,
        question.letter,
        problem=question.text,
        options=question.options,
        references=(f"Answer: {question.letter}",),
    )


def _grade(problem: Problem, solution: str) -> Grade:
    return grade_choice(problem.answer, solution, box_asked=False)
