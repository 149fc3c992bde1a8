r"""Grading of multiple choice and of short texts.

    grade_choice("C", r"... so \boxed{\text{(C)}}").correct                  # True
    grade_choice("C", "I rule out A. Answer: C").correct                     # True
    grade_text(["Mount Everest"], "The answer is mount Everest.").correct    # True

As in mathematics the last box counts; without one, what follows the last "answer" that is a label or says what it is,
in any of the languages of `stated`. A box that holds no option does not win over an option that is named so.
"""

import re
import unicodedata
from collections.abc import Sequence

from elastic_reasoning.grading.answers.boxes import last_box
from elastic_reasoning.grading.answers.stated import find_label, find_tagged
from elastic_reasoning.grading.grade import Grade

OPENING = (
    r"(?:\\(?:text\w*|math[a-z]+|[mfh]box|boxed|bf|rm|displaystyle|left|q?quad|[ ,;:(\[{#])|"
    r"[\s{($*\[\"'`“„«「『【《<_~])*"
)
# Words for an option, and articles, before the letter
NAMED = (
    r"(?i:(?:(?:the|both|either|options?|choices?|letters?|answer|die|der|das|la|le|el|o|a|il|lettre|letra|lettera|"
    r"opci[oó]n|op[cç][aã]o|opzione|alternativa|antwort|r[ée]ponse|respuesta|resposta|buchstabe|вариант|буква)\b"
    r"|选项|選項|選択肢|보기|第)[\s:~]*)+"
)
# In lower case a letter is also a word or a variable: it must be followed by a bracket or a mark, or by nothing
LONE = r"((?:[A-HJ]|I(?!\s+[a-z]))(?![A-Za-z0-9'’])|[a-j](?=[\s}$*\"']*(?:[).:;]|\Z)))"
WORD = r"\s+(?!(?:because|since|and|or|as|for|weil|denn|porque|car|parce|puisque)\b)[A-Za-z]{2}"
# A formula goes on, as in A = 5, B^2, A+1, H\rangle
FORMULA = r"(?:\(|[\s}]*(?:[=^_<!|]|>\s*[\d\\A-Za-z]|[-+*/]\s*[\d\\]|\\(?!text|math|q?quad|right|[ ,;:)\]}])))"
# A letter that stands first and alone: C, (C), \text{C}, \textbf{(C) } 12, C. Paris, option C; not that of "A triangle"
FIRST_LETTER = re.compile(rf"{OPENING}(?:{NAMED}{OPENING})?{LONE}(?!{WORD}|{FORMULA})")
# Another one after it: A, C; (A) and (C); A \text{ or } C
NEXT_LETTER = re.compile(
    rf"[\W_]*?(?:[,;/&+、]|\b(?:and|or|und|oder|et|ou|y|o|e|и|или)\b|[和或及と])"
    rf"(?:\W|(?i:and|or|option|choice|letter)\b)*{LONE}"
)
MARKUP = re.compile(r"\\[a-zA-Z]+")
LONGEST_CHOICE = 200  # characters of a stated answer in which letters are looked for
MARKS = r"[\s*_$({\[]*(?:\\[a-z]+[\s{(]*)?"
# "I choose (C)", "the correct option is C", "C is correct", 故选C
CHOSEN = re.compile(
    r"(?:\b(?i:choose|select|pick|go with|w[äa]hle|elijo|choisis|escolho|scelgo|выбираю|richtig ist|"
    r"(?:correct|right|best|my|final) (?:option|choice|statement)(?: is)?|правильный вариант|"
    r"(?:opci[oó]n|op[cç][aã]o|option|opzione|alternativa|lettre|letra) corr\w+(?: (?:es|é|est|è))?)\b[\s:]+|"
    rf"[选選][择擇]?[:\s]*|正确(?:的)?选项[是为:\s]*)(?:{NAMED})?{MARKS}([A-J])(?![A-Za-z'’])"
    r"|(?<![A-Za-z'’\\])([A-J])[)*_$}\s]+(?i:is|ist|est|es|é)\s+(?i:(?:the|la|die)\s+)?(?i:correct|right|best|richtig|korrekt)"
    r"|(?:选项|選択肢)\s*\(?([A-J])\)?\s*(?:是正确|正确|が正し|が正解)"
)
DENIED = re.compile(
    r"(?:\b(?:not|never|cannot|no|nor|neither|except|than|nicht|pas|não|не|eliminate|exclude|rule out|reject)|n['’]t|"
    r"不)[\s*_]*(?:(?:the|option|choice|answer|is|be|to)\s+)*\Z",
    re.IGNORECASE,
)
REFUTED = re.compile(r"[\s*_]*(?:is|are)\s+(?:both\s+)?(?:not|wrong|incorrect|false)\b", re.IGNORECASE)
IN_BRACKETS = re.compile(r"\(([A-J])\)")
SENTENCE = re.compile(r"[^.!?\n。]*")
ALONE = re.compile(
    rf"[\s*_(#>]*(?:(?i:so|thus|hence|therefore)[\s,:]+)?(?:{NAMED})?[\s*_(]*([A-Ja-j])(?:[).:]\s(?!.*\b[A-J]\b).*|[\s)*_.:]*)"
)
LONGEST_LINE = 80
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
OF_NUMBER = re.compile(r"(?<![^\W\d_])[-.,/:](?=\d)")  # a sign, a decimal point, what parts two numbers
COMMAND = re.compile(r"\\[a-zA-Z]+|[${}~]|\\[()\[\],; ]")
ARTICLES = frozenset({"a", "an", "the"})
MINUS = str.maketrans("−–", "--")


def grade_choice(reference: str, solution: str, box_asked: bool = True) -> Grade:
    """Whether the solution chooses the letter of the reference, A to J, in either case.

    In this order: the letter with which the last box begins; that of the last "answer"; the one that is said to be
    chosen or correct; one that stands alone on the last line; and, where there is no box at all, the last one in round
    brackets that is not denied. Several letters are a wrong answer.

    Args:
        reference: the right letter.
        solution: what answers the question.
        box_asked: the prompt asks for a box, so that an answer without one is unboxed.
    """
    solution = unicodedata.normalize("NFKC", solution)
    box = last_box(solution)
    boxed = box.text if box else None
    in_box = _letter(boxed)
    answer = in_box or _letter(_labelled(solution)) or _chosen(solution, has_box=box is not None)
    wanted = _letter(reference)
    unboxed = box_asked and in_box is None and (boxed is None or answer is not None)
    return _grade(answer or boxed, wanted is not None and answer == wanted, unboxed)


def _letter(stated: str | None) -> str | None:
    """The letter with which a text begins, or the whole text where there are several; `None` where there is none."""
    letter = FIRST_LETTER.match((stated or "")[:LONGEST_CHOICE])
    if stated is None or letter is None:
        return None
    rest = MARKUP.sub(" ", stated[letter.end() : LONGEST_CHOICE])
    return stated if NEXT_LETTER.match(rest) else letter[1].upper()


def _chosen(solution: str, has_box: bool) -> str | None:
    """The letter that a solution says it chooses, without the word "answer"."""
    if letter := _last(CHOSEN, solution):
        return letter
    *before, line = solution.strip().split("\n")
    alone = ALONE.fullmatch(line) if len(line) <= LONGEST_LINE else None
    # below other lines "c" may be a variable, and "C) 12" the last of the options
    if alone and (not before or line.strip(" ()*_.:") == alone[1].upper()):
        return alone[1].upper()
    return None if has_box else _in_brackets(solution)


def _in_brackets(solution: str) -> str | None:
    """The letter in the last round brackets, if its sentence has no other one that is not denied."""
    found: str | None = None
    for sentence in SENTENCE.findall(solution):
        if letters := IN_BRACKETS.findall(sentence):
            last = _last(IN_BRACKETS, sentence)
            standing = [each for each in set(letters) if _last(re.compile(rf"\(({each})\)"), sentence)]
            found = last if len(standing) == 1 else None
    return found


def _last(pattern: re.Pattern[str], solution: str) -> str | None:
    """The last letter found that is not denied; none where it is refuted."""
    for match in reversed(list(pattern.finditer(solution))):
        if REFUTED.match(solution, match.end()):
            return None
        if not DENIED.search(solution, max(0, match.start() - LONGEST_LINE), match.start()):
            return str(next(filter(None, match.groups())))
    return None


def _labelled(solution: str) -> str | None:
    """The line that the last tag or label of an answer introduces, without asterisks around it."""
    tagged = find_tagged(solution)
    label = find_label(solution) if tagged is None else find_label(tagged)
    lines = (label.rest if label else tagged or "").strip().splitlines()
    return lines[0].strip(" *") or None if lines else None


def grade_text(references: Sequence[str], solution: str) -> Grade:
    """Whether the stated answer reads like one of the references, case, articles and punctuation aside.

    The comparison is that of SQuAD's evaluation (Rajpurkar et al. 2016, arXiv 1606.05250).
    """
    box = last_box(solution)
    answer = box.text if box else _labelled(solution)
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
