"""What the ids of a prompt say of thinking and of tools, for a server that sees no messages."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from elastic_reasoning.chat.prompt_state import TOOL_RESULT, state_of_turn
from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.template import Template, Thinking


def thinking_of(tokenizer: Any, template: Template, ids: Sequence[int]) -> Thinking:
    """Whether a prompt has opened or closed thinking.

    Only what follows the last header of an assistant's turn counts, so that a literal `<think>` in a user's text is
    not taken for it; nor is one in the result of a tool. An answer that is begun there without thinking closes it. A
    prompt without such a header counts as open where it ends with the opening delimiter, and as closed where it ends
    with the closing one.
    """
    ids, opening, closing = list(ids), template.opening.text, template.closing.text
    header, generation_prompt = _beginnings(tokenizer, template)
    whole = list(template.encode(generation_prompt)) if generation_prompt != header else []
    if whole and ids[-len(whole) :] == whole:
        return state_of_turn(generation_prompt, opening, closing)
    begins = list(template.encode(header))
    for start in range(len(ids) - len(begins), -1, -1) if begins else ():
        if ids[start : start + len(begins)] == begins:
            turn = ids[start + len(begins) :]
            text = template.decode(turn)
            begun = bool(text.strip()) and not template.eos & set(turn)
            return state_of_turn(TOOL_RESULT.sub("", text), opening, closing, begun=begun)
    tail = template.decode(ids[-32:]).rstrip() if ids else ""
    if tail.endswith(closing.rstrip()):
        return Thinking.CLOSED
    return Thinking.OPEN if tail.endswith(opening.rstrip()) else Thinking.ABSENT


def offers_tools(tokenizer: Any, template: Template, ids: Sequence[int]) -> bool:
    """Whether a prompt offers tools: it holds the words that the chat template writes before them."""
    header = _tools_header(tokenizer, template) if template.tools else ""
    return bool(header) and header in template.decode(ids)


@lru_cache(maxsize=8)
def _beginnings(tokenizer: Any, template: Template) -> tuple[str, str]:
    """How the chat template begins an assistant's turn, and all that it writes of it; empty where there is none."""
    renderer = Renderer(tokenizer, template)
    try:
        return renderer.header, renderer.generation_prompt
    except TemplateError:
        return "", ""


@lru_cache(maxsize=8)
def _tools_header(tokenizer: Any, template: Template) -> str:
    try:
        return Renderer(tokenizer, template).tools_header
    except TemplateError:
        return ""
