r"""The answer that a solution states: in its last box, or else in words.

    find_answer(r"so $x = \boxed{\frac{1}{2}}$.")       # Stated(text="\\frac{1}{2}", boxed=True)
    find_answer("The final answer is $5$. I hope so.")  # Stated(text="5", boxed=False)
    find_answer("So the number of ways is 9.")          # Stated(text="9", boxed=False)
    find_answer("It is not 9.")                         # None

One policy, in this order: the last box; the last `<answer>`; a last line `#### 5`; what follows the last "answer" that
is a label or part of a sentence ("**Answer:** 5", "the answer is 5"), in any of the languages listed; the last sentence
of all, where it concludes that something is a value ("so", "thus", ...). What was left empty, was never closed or is
taken back is no answer, and nothing that stands before it is one in its place.
"""

import re
from dataclasses import dataclass

from elastic_reasoning.grading.answers.boxes import last_box

# "answer" in languages that models write in; 答 and 回答 only as a label, since they also mean to reply.
SPELLED = (
    r"answers?|antwort|endergebnis|r[ée]ponse|respuesta|resposta|risposta|antwoord|odpowied[źz]|odpov[ěe]ď|odpoveď|svar(?:et)?|"
    r"vastaus|cevap|yanıt|ответ|відповідь|απάντηση|đáp án|đáp số|câu trả lời|jawaban|jawapan"
)
UNSPACED = (
    r"答案|答え|正解|정답|해답|답변|답(?=[은:：이는 ])|(?:回?答|解答)(?=\s*[*_]*\s*[:：])|"
    r"उत्तर|الإجابة|الجواب|पاسخ|پاسخ|תשובה|คำตอบ"
)
# "to the problem", "to part (b)"; "final" behind the word, as Romance languages have it
PART = (
    r"(?:\s+(?:finale?|corr\w{2,5}|đúng|cert[ao]|exact[ae]?|definitiv[ao]))?"
    r"(?:\s+(?:to|of|for|in)(?:\s+(?:the|this|part|question|problem|exercise)){0,3}(?:\s+\(?\w{1,3}\)?)?)?"
)
IS = (
    r"(?:\s(?:is|are|equals|should be|must be|would be|ist|lautet|est|es|é|è|jest|je|är|on|là|adalah|ialah|это|είναι)"
    r"(?![^\W_])|\s*(?:是|为|為|应为|應為|は|が|은|는|이)|\s+[—–-](?=\s))"
)
LABEL = re.compile(
    rf"(?:(?<![^\W_])(?:{SPELLED})(?![^\W_])|{UNSPACED}){PART}[*_)\]\"'»”】」\s]{{0,4}}?"
    rf"(?:(?P<label>[*_\s]{{0,4}}[:：=])|(?P<is>{IS})|(?P<heading>[*_#:： \t]*(?:\n|\Z)))[\s:：*_]*",
    re.IGNORECASE,
)
# What may stand before a label on its line: marks, and words that say that it is the last answer.
LEADING = re.compile(r"[\W_]*(?:(?:the|my|our|your|final|correct|so|thus|hence|therefore)[\W_]+)*", re.IGNORECASE)
FINAL = re.compile(r"\b(?:final|endg\w+|finale|определ\w+|окончат\w+)\W*$|最终|最終|최종", re.IGNORECASE)
# In a sentence before "answer": it is not the answer that is meant, or it is not stated.
NOT_MEANT = re.compile(
    r"(?:\b(?:not|never|no)|n[’']t)\s+(?:\w+\s+){0,3}\Z|"
    r"\b(?:if|whether|unless|until|suppose|assum\w+|wrong|incorrect|naive|tempting|false|possible|"
    r"potential|intermediate|previous|earlier|initial|first|guess\w*|might|may|could|cannot|doubt\w*|check that)\b",
    re.IGNORECASE,
)
# Behind a statement: it is taken back.
TAKEN_BACK = re.compile(
    r"\b(?:wait|hmm+|scratch that|on second thou\w+|correction|let me re\w+|i made an? \w*\s?(?:mistake|error)|"
    r"(?:that|this|it|which|answer)(?:[’']s| is| was| seems| cannot be)? (?:wrong|incorrect|not (?:right|correct))|"
    r"(?:that|this|it|answer) (?:isn|wasn|can)[’']t (?:be )?(?:right|correct))\b",
    re.IGNORECASE,
)
TURNED = re.compile(r"\b(?:but|however|instead|actually|although|though|yet)\b", re.IGNORECASE)
"""Behind a statement within a sentence: another one may follow."""
TAG = re.compile(r"<(/?)(?:final[ _-]?)?answer>", re.IGNORECASE)
HASHES = re.compile(r"^[ \t]*####[ \t]*([^A-Za-z\n]+|\$[^$\n]+\$|\\\([^\n]+\\\))\s*\Z", re.MULTILINE)
MATHS = re.compile(r"\$\$?((?:\\.|[^$\\])+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=[.!?])[\s*_]+(?=[^\s\d])|(?<=[。！？])")
# Behind a formula: the answer goes on.
GOES_ON = re.compile(
    r"\s*(?:[-+*/^=<>%;±|&$]|,(?!\s*(?:i\.e|that is|which|since|because|so)\b)|\\|"
    r"(?:or|and|to|plus|minus|times|by|mod|modulo|through|if|when|where|for|only|unless|"
    r"except|in|percent|hundred|thousand|million|billion|trillion|dozen|squared|cubed|degrees?|less|more|fewer)\b)",
    re.IGNORECASE,
)
ADVERBS = r"(?:(?:therefore|thus|then|hence|simply|just|indeed|exactly|clearly|also|given by|equal to)[\s,:]+)*"
DENIED = re.compile(r"(?:not|never|nicht|pas|não|non|не|不)\b", re.IGNORECASE)
# The last sentence: "So ... is 9.", "Thus ... = 9.", "Therefore $x = 9$."
VALUE = (
    r"(?P<value>\$\$?(?:\\.|[^$\\])+\$\$?|\\\((?:(?!\\\)).)+\\\)|\\\[(?:(?!\\\]).)+\\\]|"
    r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?(?![\w^/*(]))"
)
ENDS_IN_VALUE = re.compile(
    rf".*(?:\b(?:is|are|equals?|be|gives?|get|has|have|obtain|find|becomes?)\b|=)[\s,:]+{ADVERBS}{VALUE}"
    r"(?P<unit>(?:\s[A-Za-z]+(?:/[A-Za-z]+)?){0,3})\s?\.?",
    re.IGNORECASE | re.DOTALL,
)
CONCLUDES = (
    r"(?:and\s+)?(?:so|thus|therefore|hence|consequently|altogether|in total|in conclusion|in summary|overall|finally|"
    r"this means|which means|it follows|we conclude|∴)(?![^\W_])"
)
CONCLUSION = re.compile(CONCLUDES, re.IGNORECASE)
IS_VALUE = re.compile(rf"{CONCLUDES}[\s,:]*{VALUE}\s?\.?", re.IGNORECASE)
NO_UNIT = re.compile(
    r"\b(?:has|have|had|is|are|was|were|does|do|can|will|holds?|works?|fails?|divides|satisf\w+|more|less|fewer|times|"
    r"squared|cubed|hundred|thousand|million|billion|trillion|dozen|percent|plus|minus|and|or|to|by|one|two|three|four|"
    r"five|six|seven|eight|nine|ten|at|too|again|here|only)\b",
    re.IGNORECASE,
)
# In the last sentence: what it says is bounded, supposed, given, tried, one of several, or a step on the way.
NOT_CONCLUDED = re.compile(
    r"\b(?:not|never|no|if|whether|unless|until|suppos\w+|assum\w+|let|since|because|when|where|while|as|or|either|"
    r"neither|nor|between|at (?:least|most)|(?:more|less|fewer|greater|larger|smaller|other|rather) than|about|"
    r"approx\w*|around|roughly|nearly|almost|may|maybe|perhaps|might|could|would|should|try|check\w*|verify|"
    r"verification|guess\w*|consider|say|example|instance|steps?|cases?|claim\w*|next|then|but|however|possibly|wrong|"
    r"incorrect|mod|modulo|given|know|known|denote\w*|define\w*|recall|formula|need to|want to|have to|"
    r"except|up to|so far|wait|probably|likely|seems?)\b|n[’']t\b|[?≠<>≤≥≈~]|"
    r"\\(?:n(?:e|eq|ot)|[lg](?:t|e|eq|eqslant)|approx|sim|in)(?![a-z])",
    re.IGNORECASE,
)
SEVERAL = re.compile(r"(?:=|\b(?:is|are)\b).*[,;].*(?:=|\b(?:is|are)\b)")
POLITE = re.compile(r"\s*(?:です|である|だ|입니다|이다|예요|이에요)$")
LONGEST_SENTENCE = 200
DISPLAY_OPENS = re.compile(r"(?<!\\)\\\[")
ITEM = re.compile(r"\s*(?:[-*•+]\s|\(?\w{1,2}[.)]\s)")  # one of a list, which goes on


@dataclass(frozen=True, slots=True)
class Stated:
    """An answer as the solution writes it, and whether it stands in a box."""

    text: str
    boxed: bool


def find_answer(solution: str) -> Stated | None:
    """The stated answer, or `None` where there is none."""
    box = last_box(solution)
    if box is not None:
        return None if box.text is None else Stated(box.text, boxed=True)
    text = _in_words(solution)
    return Stated(text, boxed=False) if text else None


def _in_words(solution: str) -> str | None:
    tagged = find_tagged(solution)
    if tagged is not None:
        return _in_words(tagged) or _value(tagged)
    if hashes := HASHES.search(solution):
        return _value(hashes[1])
    label = find_label(solution)
    last = _last_sentence(solution)
    closing = _said(last) if CONCLUSION.match(last) else None
    if label is None or (closing and not label.is_certain and label.end < solution.rindex(last)):
        return closing
    return _value(label.rest)


def find_tagged(solution: str) -> str | None:
    """What the last `<answer>` holds, nothing where it never closes; `None` where there is no such tag."""
    tags = list(TAG.finditer(solution))
    opening = next((place for place in reversed(range(len(tags))) if not tags[place][1]), None)
    if opening is None:
        return None
    closing = tags[opening + 1 : opening + 2]
    return solution[tags[opening].end() : closing[0].start()] if closing else ""


@dataclass(frozen=True, slots=True)
class Label:
    """The last "answer" of a solution.

    Attributes:
        rest: all that follows it.
        end: where that begins.
        is_certain: it is a label that stands first on its line, or says "final".
    """

    rest: str
    end: int
    is_certain: bool


def find_label(solution: str) -> Label | None:
    """The last "answer" that states one and is not taken back."""
    for match in reversed(list(LABEL.finditer(solution))):
        before = solution[solution.rfind("\n", 0, match.start()) + 1 : match.start()]
        leads = bool(LEADING.fullmatch(before))
        if (match["heading"] is not None and not leads) or NOT_MEANT.search(SENTENCE_END.split(before)[-1]):
            continue
        is_certain = (leads and match["is"] is None) or bool(FINAL.search(before))
        if TAKEN_BACK.search(solution, match.end()) or (not is_certain and TURNED.search(solution, match.end())):
            return None
        return Label(solution[match.end() :], match.end(), is_certain)
    return None


def _value(text: str) -> str | None:
    """The value with which a text begins: a formula, or else its first sentence, or what that says something is."""
    text = re.sub(rf"[\s*_:]*{ADVERBS}", "", text, count=1, flags=re.IGNORECASE)
    maths = MATHS.match(text)
    if maths and not GOES_ON.match(text, maths.end()):
        return _formula(maths)
    lines = text.splitlines()
    sentence = SENTENCE_END.split(lines[0], maxsplit=1)[0] if lines else ""
    if DENIED.match(sentence) or sentence.endswith("?"):
        return None
    plain = POLITE.sub("", sentence.strip(" *_.。"))
    return _said(sentence) or plain or None


def _formula(maths: re.Match[str]) -> str:
    return next(group for group in maths.groups() if group is not None).strip().rstrip(".,")


def _last_sentence(solution: str) -> str:
    """The last sentence, where it has come to its end."""
    text = solution.rstrip().rstrip("*_\"'”)")
    if not text.endswith((".", "$", r"\)", r"\]")) or len(DISPLAY_OPENS.findall(text)) > text.count(r"\]"):
        return ""
    line = text[text.rfind("\n") + 1 :]
    return "" if ITEM.match(line) else SENTENCE_END.split(line)[-1].strip(" *_#>")


def _said(sentence: str) -> str | None:
    """The value that a sentence ends in, if it says that something is that value and leaves nothing open."""
    if len(sentence) > LONGEST_SENTENCE or any(sign.search(sentence) for sign in (NOT_CONCLUDED, NOT_MEANT, SEVERAL)):
        return None
    match = IS_VALUE.fullmatch(sentence) or ENDS_IN_VALUE.fullmatch(sentence)
    if match is None or NO_UNIT.search(match.groupdict().get("unit") or ""):
        return None
    maths = MATHS.fullmatch(match["value"])
    return _formula(maths) if maths else match["value"]
