r"""Grading of multiple choice and of short texts.

    grade_choice("C", r"... so \boxed{\text{(C)}}").correct                  # True
    grade_choice("C", "I rule out A. Answer: C").correct                     # True
    grade_text(["Mount Everest"], "The answer is mount Everest.").correct    # True

As in mathematics the last box counts; without one, what follows the last "answer:" or "answer is".
"""

import re
import unicodedata
from collections.abc import Sequence

from elastic_reasoning.grading.boxes import first_line_after, last_box
from elastic_reasoning.grading.grade import Grade

ANSWER = re.compile(r"\banswer(?:\W{0,4}:|\s+is\b)[\s:*]*", re.IGNORECASE)
# A letter that stands first and alone: C, (C), \text{C}, \textbf{(C) } 12, C. Paris; not the I of "I think"
FIRST_LETTER = re.compile(r"(?:\\[a-zA-Z]+|[\s{($*\[])*([A-HJ]|I(?!\s+[a-z]))(?![A-Za-z'])")
IN_BRACKETS = re.compile(r"\(([A-J])\)")
COMMAND = re.compile(r"\\[a-zA-Z]+|[${}~]|\\[()\[\],; ]")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def grade_choice(reference: str, solution: str) -> Grade:
    """Whether the solution chooses the letter of the reference, A to J.

    Without a box and without "answer:", the last letter in round brackets counts.
    """
    box = last_box(solution)
    stated = first_line_after(ANSWER, solution) if box is None else box
    letter = None if stated is None else FIRST_LETTER.match(stated)
    answer = letter[1] if letter else box
    if answer is None and (bracketed := IN_BRACKETS.findall(solution)):
        answer = bracketed[-1]
    wanted = FIRST_LETTER.match(reference)
    return _grade(answer, wanted is not None and answer == wanted[1], unboxed=box is None)


def grade_text(references: Sequence[str], solution: str) -> Grade:
    """Whether the stated answer reads like one of the references, case, articles and punctuation aside.

    The comparison is that of SQuAD's evaluation (Rajpurkar et al. 2016, arXiv 1606.05250).
    """
    box = last_box(solution)
    answer = first_line_after(ANSWER, solution) if box is None else box
    correct = answer is not None and _plain(answer) in {_plain(reference) for reference in references}
    return _grade(answer, correct, unboxed=box is None)


def _grade(answer: str | None, correct: bool, unboxed: bool) -> Grade:
    reason = None if correct else "no answer" if answer is None else "wrong answer"
    return Grade(correct, answer, reason, unboxed)


def _plain(text: str) -> str:
    text = COMMAND.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    text = "".join(letter for letter in text if not unicodedata.category(letter).startswith("P"))
    return " ".join(ARTICLES.sub(" ", text).split())
