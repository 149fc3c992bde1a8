"""Reads a thought of the miniature: which steps it takes, which of them it verifies, and which are wrong.

    thought = read_thought("hmm b 4 -8 = 6 wait check 4 -8 = 6 ok c +7 3 so 3")
    thought.num_verified, thought.num_short         # 1, 1

The forms are those of `elastic_reasoning.miniature.thoughts`. What is none of them is passed over and counted; a
form that the end of the thought cuts is neither. A step is wrong if its operation does not make its result of the
value before it, or if it starts from another value than the one that stands there. Whether the operation is the
question's is not asked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from elastic_reasoning.tasks.arithmetic import apply

OPERATION = r"(?P<{}>[+-]\d|\*[379])"
LETTER, DIGIT = r"[a-l]", r"\d"
FORMS = {
    "check": rf"wait check {DIGIT} {OPERATION.format('checked')} = {DIGIT}(?: ok)?",
    "full": rf"{LETTER} (?P<before>{DIGIT}) {OPERATION.format('of_full')} = (?P<full_value>{DIGIT})",
    "short": rf"{LETTER} {OPERATION.format('of_short')}(?: =)? (?P<short_value>{DIGIT})",
    "restated": rf"{LETTER} {OPERATION.format('named')}",
    "start": rf"a (?P<start_value>{DIGIT})",
    "conclusion": rf"so {DIGIT}",
    "again": r"again|Wait",
    "other": r"hmm|=",
    "unread": r"\S+",
}
FORM = re.compile(rf"(?<!\S)(?:{'|'.join(f'(?P<{name}>{form})' for name, form in FORMS.items())})(?!\S)")
LONGEST_CUT = 5
"""Words that the end of a thought can leave of a form."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What a thought consists of.

    Attributes:
        num_short, num_full, num_verified: steps of the first pass by their form; a step that is checked, whatever its
            form, is a verified one and no other.
        num_checks: verifications in all, of which a step may have several.
        restated: whether the problem is written down again, two operations of it at least.
        num_passes: passes that begin again, after the first.
        num_steps: steps of every pass.
        num_judged, num_wrong: those of which the value before is known, and those of these that are wrong.
        num_unread: words that belong to no form.
        lengths: words of each form, in order.
    """

    num_short: int
    num_full: int
    num_verified: int
    num_checks: int
    restated: bool
    num_passes: int
    num_steps: int
    num_judged: int
    num_wrong: int
    num_unread: int
    lengths: tuple[int, ...]

    @property
    def num_words(self) -> int:
        return sum(self.lengths)


def read_thought(text: str) -> Thought:
    """The forms of a thought; any text may be given."""
    found = list(FORM.finditer(" ".join(text.split())))
    kinds = [str(match.lastgroup) for match in found]
    first_again = kinds.index("again") if "again" in kinds else len(kinds)
    steps = [n for n, kind in enumerate(kinds) if kind in ("short", "full")]
    first_pass = [n for n in steps if n < first_again]
    verified = {n for n in first_pass if kinds[n + 1 : n + 2] == ["check"]}
    verdicts = [wrong for wrong in _verdicts(found) if wrong is not None]
    return Thought(
        num_short=sum(kinds[n] == "short" for n in first_pass if n not in verified),
        num_full=sum(kinds[n] == "full" for n in first_pass if n not in verified),
        num_verified=len(verified),
        num_checks=kinds.count("check"),
        restated=("restated", "restated") in pairwise(kinds),
        num_passes=kinds.count("again"),
        num_steps=len(steps),
        num_judged=len(verdicts),
        num_wrong=sum(verdicts),
        num_unread=_num_unread(kinds),
        lengths=tuple(len(match[0].split()) for match in found),
    )


def _verdicts(found: list[re.Match[str]]) -> Iterator[bool | None]:
    """Whether each step is wrong; `None` where nothing tells."""
    value: int | None = None
    for match in found:
        if match["start"]:
            value = int(match["start_value"])
        elif match["again"]:
            value = None
        elif match["full"]:
            before, after = int(match["before"]), int(match["full_value"])
            yield apply(match["of_full"], before) != after or value not in (None, before)
            value = after
        elif match["short"]:
            after = int(match["short_value"])
            yield None if value is None else apply(match["of_short"], value) != after
            value = after


def _num_unread(kinds: list[str]) -> int:
    """Words of no form, without those at the end that may be what a cut has left of one."""
    end = len(kinds)
    while end and kinds[end - 1] in ("unread", "other") and len(kinds) - end < LONGEST_CUT:
        end -= 1
    return kinds[:end].count("unread")
