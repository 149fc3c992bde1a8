"""What can be counted in a thought of any model: words of reflection, repetition, how well it compresses, its parts.

num_reflections("Wait, let me check that again.")       # 2
repetition([1, 2, 3, 4, 1, 2, 3, 4])                    # 0.2: one of five 4-grams stood there before
"""

import re
import zlib
from collections.abc import Sequence
from itertools import accumulate

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
TENTHS = 10


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
    starts = accumulate(lengths, initial=0)
    for start, length in zip(starts, lengths, strict=False):
        tenths[TENTHS * start // sum(lengths)].append(length)
    return [sum(tenth) / len(tenth) if tenth else None for tenth in tenths]
