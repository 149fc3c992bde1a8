"""Words in sampled tokens: at which a strategy pauses, or which it forbids.

    ids_of(template, "wait,hmm")                # every id that writes one of them: "Wait", " wait", "HMM,"
    delimiter_of(template, "Wait,Alternatively")  # what to look for where thinking is to pause at them

A word stands by itself: letters and digits before or behind it make it another one. Words are parted by commas.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter, TokenDelimiter
from elastic_reasoning.core.template import Template


def words_of(text: str) -> list[str]:
    """Words that are parted by commas; line breaks are words too."""
    return [word for part in text.split(",") if (word := part.strip(" "))]


def _pattern(word: str) -> str:
    """A word by itself, as a regular expression."""
    begin, end = r"(?<!\w)" * word[0].isalnum(), r"(?!\w)" * word[-1].isalnum()
    return begin + re.escape(word) + end


@lru_cache(maxsize=64)
def ids_of(template: Template, words: str) -> frozenset[int]:
    """Every id that writes one of these words, in small letters or large ones; none of a delimiter's or an end's.

    A word that takes several tokens is not found.
    """
    pattern = re.compile("|".join(map(_pattern, words_of(words))) or r"(?!)", re.IGNORECASE)
    found = frozenset(index for index, text in enumerate(template.texts) if pattern.search(text))
    delimiters = (template.opening, template.closing)
    return found - template.eos.union(*((*each.forced, *each.watch) for each in delimiters))


@lru_cache(maxsize=64)
def delimiter_of(template: Template, words: str) -> Delimiter | None:
    """These words, just as they are written, as what a call can pause at; `None` where there are none.

    A word is found as a token that writes it by itself, and as the tokens that spell it at the beginning of a line or
    behind a blank.
    """
    parts = tuple(TokenDelimiter(word, ids) for word in words_of(words) for ids in _spellings(template, word))
    return AnyDelimiter(parts) if parts else None


def _spellings(template: Template, word: str) -> Iterator[tuple[int, ...]]:
    pattern = re.compile(_pattern(word))
    tokens = [(index,) for index, text in enumerate(template.texts) if pattern.search(text)]
    whole = [ids for text in (word, f" {word}") if len(ids := template.encode(text)) > 1]
    yield from dict.fromkeys([*tokens, *whole])
