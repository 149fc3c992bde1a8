"""What can be measured in one thought: words of reflection, repetition, how well it compresses, its parts.

num_reflections("Wait, let me check that again.")       # 2
repetition([1, 2, 3, 4, 1, 2, 3, 4])                    # 0.2: one of five 4-grams stood there before
thought_of(record).measures["compression"]              # 0.41

A record's line keeps what `thought_of` gives when it is written, so that tables need no text.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.records.parts import joined_text
from elastic_reasoning.records.record import TENTHS, Record, Thought
from elastic_reasoning.tasks.arithmetic_thinking import Thought as StepsThought
from elastic_reasoning.tasks.arithmetic_thinking import read_thought

WORDING = {
    "thinking_tokens": "sampled thinking tokens",
    "reflections": "words of reflection a 1000 thinking tokens",
    "repetition": "share of 4-grams of tokens that stood there before",
    "compression": "size after deflate by size before; lower is more redundant",
}
STEPS = {
    "short_steps": "share of the first pass's steps: short ones, not checked",
    "full_steps": "share of the first pass's steps: full ones, not checked",
    "verified_steps": "share of the first pass's steps: checked at least once",
    "checks_per_step": "verifications for each step of the first pass",
    "restated": "share of thoughts that write the problem down again",
    "passes": "passes over the whole problem after the first",
    "wrong_steps": "share of steps with a wrong result",
    "unread_words": "share of words that belong to no known form",
}
"""Of the miniature's thoughts alone."""
MEASURES = WORDING | STEPS
MINIATURE = "arithmetic-"
"""What the ids of the miniature's problems begin with; only of its thoughts are the steps known."""

REFLECTIONS = (
    r"wait",
    r"hm+",
    r"alternatively",
    r"however",
    r"retry\w*",
    r"re-?(?:check|think|assess|evaluat|examin|consider|analy[sz])\w*",
    r"double[- ]check\w*",
    r"(?:check|think|verify|try) again",
    r"go over the steps",
    r"(?:let me|let us|let's) (?:check|verify)",
)
"""Words and phrases by which a thought turns back on itself, in any case of letters.

The pool of Liu et al. 2025 ("Understanding R1-Zero-Like Training", arXiv 2503.20783: recheck, rethink, reassess,
re-evaluate, re-examine, reconsider, reanalyze, double-check, check again, think again, verify again, go over the
steps) with its other forms, the one of Yeo et al. 2025 ("Demystifying Long Chain-of-Thought Reasoning", arXiv
2502.03373: wait, recheck, alternatively, retry, however), "hmm", and "let me check". "but" and "actually" are left
out: they stand in any prose. The list is English, and its counts tell models of one family apart, not languages.
"""
REFLECTION = re.compile(rf"\b(?:{'|'.join(REFLECTIONS)})\b", re.IGNORECASE)
PART = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
"""Between sentences and lines."""
NGRAM = 4
"""As in seq-rep-4 of Welleck et al. 2019, arXiv 1908.04319."""


def num_reflections(text: str) -> int:
    """How many words and phrases of reflection a text has."""
    return len(REFLECTION.findall(text))


def repetition(ids: Sequence[int], n: int = NGRAM) -> float | None:
    """Share of a sequence's n-grams that stood there before, 1 - (different ones) / (all); `None` where it has none.

    It rises with the length, as there is more to repeat.
    """
    ngrams = list(zip(*(ids[start:] for start in range(n)), strict=False))
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else None


def compression(text: str) -> float | None:
    """Bytes of a text after zlib's deflate (level 9, no header) by bytes before; `None` for no text.

    Lower is more redundant. It falls with the length, as there is more to refer to.
    """
    raw = text.encode("utf-8", "replace")
    if not raw:
        return None
    packer = zlib.compressobj(9, wbits=-15)
    return len(packer.compress(raw) + packer.flush()) / len(raw)


def part_lengths(text: str) -> list[int]:
    """Words of each sentence or line, in order; those without words left out."""
    return [num for part in PART.split(text) if (num := len(part.split()))]


def by_tenth(lengths: Sequence[int]) -> list[float | None]:
    """Mean length of the parts that begin in each tenth of the whole, from the first on; `None` where none does."""
    tenths: list[list[int]] = [[] for _ in range(TENTHS)]
    whole = sum(lengths)
    starts = accumulate(lengths, initial=0)
    for start, length in zip(starts, lengths, strict=False):
        tenths[TENTHS * start // whole].append(length)
    return [sum(tenth) / len(tenth) if tenth else None for tenth in tenths]


def thought_of(record: Record) -> Thought:
    """What is measured in a record's thinking, by the names in `MEASURES`, and the length of its parts.

    Parts are sentences and lines, in the miniature steps and what else its thoughts consist of.
    """
    thinking = [part for part in record.segments if part["phase"] == Phase.THINKING]
    sampled = [part for part in thinking if part["sampled"]]
    text = joined_text(thinking, forced=False)
    num_tokens = record.num_thinking_tokens
    whole = record.text_of(Phase.THINKING)
    in_steps = read_thought(whole) if record.problem.startswith(MINIATURE) else None
    measures = {
        "thinking_tokens": num_tokens,
        "reflections": 1000 * num_reflections(text) / num_tokens if num_tokens else None,
        "repetition": repetition(list(chain.from_iterable(part["ids"] for part in sampled))),
        "compression": compression(text),
        **(_steps(in_steps) if in_steps else {}),
    }
    known = {name: value for name, value in measures.items() if value is not None}
    return Thought(known, by_tenth(in_steps.lengths if in_steps else part_lengths(whole)))


def _steps(thought: StepsThought) -> Mapping[str, float | None]:
    first_pass = thought.num_short + thought.num_full + thought.num_verified
    shares = {
        "short_steps": (thought.num_short, first_pass),
        "full_steps": (thought.num_full, first_pass),
        "verified_steps": (thought.num_verified, first_pass),
        "checks_per_step": (thought.num_checks, first_pass),
        "restated": (thought.restated, thought.num_words > 0),
        "passes": (thought.num_passes, thought.num_words > 0),
        "wrong_steps": (thought.num_wrong, thought.num_judged),
        "unread_words": (thought.num_unread, thought.num_words),
    }
    return {name: part / whole if whole else None for name, (part, whole) in shares.items()}
