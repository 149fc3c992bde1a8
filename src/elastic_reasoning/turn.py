"""What the ids of a prompt say of thinking, for a server that sees no messages."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from elastic_reasoning.errors import TemplateError
from elastic_reasoning.rendering import MARK, marked, render, state_of_turn
from elastic_reasoning.template import Template, Thinking


def thinking_of(tokenizer: Any, template: Template, ids: Sequence[int]) -> Thinking:
    """Whether a prompt has opened or closed thinking.

    Only what follows the last header of an assistant's turn counts, so that a literal `<think>` in a user's text is
    not taken for it. A prompt without such a header counts as open where it ends with the opening delimiter, and as
    closed where it ends with the closing one.
    """
    ids = list(ids)
    header = _header(tokenizer, template.opening.text, template.closing.text)
    for start in range(len(ids) - len(header), -1, -1) if header else ():
        if ids[start : start + len(header)] == header:
            turn = template.decode(ids[start + len(header) :])
            return state_of_turn(turn, template.opening.text, template.closing.text)
    tail = template.decode(ids[-32:]).rstrip() if ids else ""
    if tail.endswith(template.closing.text.rstrip()):
        return Thinking.CLOSED
    return Thinking.OPEN if tail.endswith(template.opening.text.rstrip()) else Thinking.ABSENT


@lru_cache(maxsize=8)
def _header(tokenizer: Any, opening: str, closing: str) -> list[int]:
    """Ids with which the chat template begins an assistant's turn; none where there is no chat template."""
    if not tokenizer.chat_template:
        return []
    try:
        rendered = render(tokenizer, [marked({"role": "user", "content": ""})])
    except TemplateError:
        return []
    turn = rendered.rpartition(MARK)[2]
    ends = [turn.find(delimiter) for delimiter in (opening, closing) if delimiter in turn]
    return list(tokenizer.encode(turn[: min(ends, default=len(turn))], add_special_tokens=False))
