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
OPENING = r"(?:\\[a-zA-Z]+|[\s{($*\[])*"
LONE = r"([A-HJ]|I(?!\s+[a-z]))(?![A-Za-z'])"
NAMED = r"(?i:(?:(?:the|both|either|options?|choices?|letter)\b:?\s*)+)?"
WORD = r"\s+(?!(?:because|since|and|or)\b)[A-Za-z]{2}"
# A letter that stands first and alone: C, (C), \text{C}, \textbf{(C) } 12, C. Paris, option C; not that of "A triangle"
FIRST_LETTER = re.compile(rf"{OPENING}{NAMED}{OPENING}{LONE}(?!{WORD})")
# Another one after it: A, C; (A) and (C); A \text{ or } C
NEXT_LETTER = re.compile(rf"[\W_]*?(?:[,;/&+]|\b(?:and|or)\b)(?:\W|(?i:and|or|option|choice|letter)\b)*{LONE}")
MARKUP = re.compile(r"\\[a-zA-Z]+")
LONGEST_CHOICE = 200  # characters of a stated answer in which letters are looked for
IN_BRACKETS = re.compile(r"\(([A-J])\)")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
OF_NUMBER = re.compile(r"(?<![^\W\d_])[-.,/:](?=\d)")  # a sign, a decimal point, what parts two numbers
COMMAND = re.compile(r"\\[a-zA-Z]+|[${}~]|\\[()\[\],; ]")
ARTICLES = frozenset({"a", "an", "the"})
MINUS = str.maketrans("−–", "--")


def grade_choice(reference: str, solution: str) -> Grade:
    """Whether the solution chooses the letter of the reference, A to J.

    Without a box and without "answer:", the last letter in round brackets counts. Several letters are a wrong answer.
    """
    box = last_box(solution)
    stated = first_line_after(ANSWER, solution) if box is None else box
    letter = None if stated is None else FIRST_LETTER.match(stated[:LONGEST_CHOICE])
    answer = box
    if stated is not None and letter:
        rest = MARKUP.sub(" ", stated[letter.end() : LONGEST_CHOICE])
        answer = stated if NEXT_LETTER.match(rest) else letter[1]
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
    text = THOUSANDS.sub("", unicodedata.normalize("NFKC", text).casefold().translate(MINUS))
    text = COMMAND.sub(" ", text)
    kept = {match.start() for match in OF_NUMBER.finditer(text)}
    letters = (
        letter for at, letter in enumerate(text) if at in kept or not unicodedata.category(letter).startswith("P")
    )
    words = "".join(letters).split()
    # a text of articles or of punctuation alone says what it says
    return " ".join(word for word in words if word not in ARTICLES) or " ".join(words) or text.strip()
