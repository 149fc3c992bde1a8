"""What of a text a model cannot read, because its tokenizer has one token for all that it does not know.

unknown_words(tokenizer, "How many primes are below 100?")      # ["How", "many", "primes", ...] for the miniature
"""

from collections.abc import Sequence
from typing import Any

from elastic_reasoning.core.codec import whole_letters
from elastic_reasoning.engines.names import SHIPPED

MOST_NAMED = 4
CAN = 'chains of digits such as "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="'


def unknown_words(tokenizer: Any, text: str) -> list[str]:
    """The parts of a text that become the token for what is unknown; none where a tokenizer has no such token."""
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is None or not getattr(tokenizer, "is_fast", False):
        return []
    text = whole_letters(text)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return [text[start:end] for token, (start, end) in pairs if token == unknown]


def unknown_note(model: str, words: Sequence[str]) -> str:
    """What a user should know of words that a model cannot read; empty where there are none."""
    if not words:
        return ""
    named = ", ".join(dict.fromkeys(words[:MOST_NAMED])) + (", ..." if len(words) > MOST_NAMED else "")
    number = "1 word" if len(words) == 1 else f"{len(words)} words"
    can = f"; it was taught {CAN}, and nothing else" if model in SHIPPED else ""
    return f"{model} cannot read {number} of the question ({named}), which its tokenizer does not know{can}"
