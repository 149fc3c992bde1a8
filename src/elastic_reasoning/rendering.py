"""Chat messages to a prompt, through the tokenizer's chat template.

    prompt = render_prompt(tokenizer, template, [{"role": "user", "content": "1 + 1 = ?"}])
    prompt.thinking              # Thinking.ABSENT: the strategy will open it

Whether a prompt already opens thinking is read from what the chat template writes for the assistant's turn, so that a
literal `<think>` in a user's text is never taken for it.
"""

from collections.abc import Sequence
from typing import Any

from elastic_reasoning.errors import TemplateError
from elastic_reasoning.template import Message, Prompt, Template, Thinking

MARK = "70913582460917358264"
"""Digits, which no chat template trims, folds or escapes."""
MARKED_PART = {"type": "text", "text": MARK}


def render_prompt(tokenizer: Any, template: Template, messages: Sequence[Message]) -> Prompt:
    """Messages to a prompt, through the tokenizer's chat template (plain text where it has none).

    Raises:
        TemplateError: the chat template refuses the messages, or leaves out the last one.
    """
    if not tokenizer.chat_template:
        text = "\n".join(str(message["content"]) for message in messages)
        return Prompt(tuple(tokenizer.encode(text)))
    full = render(tokenizer, messages)
    _, found, turn = render(tokenizer, [*messages[:-1], marked(messages[-1])]).rpartition(MARK)
    if not found:
        raise TemplateError(
            f"the chat template does not write what the last message says (role {messages[-1].get('role')!r}), so that "
            "it cannot be told whether it opens thinking: end with a message that it writes"
        )
    ids = tokenizer.encode(full, add_special_tokens=False)
    return Prompt(tuple(ids), state_of_turn(turn, template.opening.text, template.closing.text))


def render(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Messages as the text of a prompt, with the beginning of the assistant's turn."""
    try:
        conversation = [dict(message) for message in messages]
        return str(tokenizer.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False))
    except Exception as error:
        if type(error).__module__ != "jinja2.exceptions":  # by name: the core imports no framework
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TemplateError(f"the chat template refuses the messages: {reason}") from error


def marked(message: Message) -> Message:
    """A message that goes on with the mark: what a chat template writes behind it is the assistant's turn.

    The message itself stays, as a chat template may look into it ("/no_think").
    """
    content = message.get("content") or ""
    return {**message, "content": f"{content}{MARK}" if isinstance(content, str) else [*content, MARKED_PART]}


def state_of_turn(turn: str, opening: str, closing: str) -> Thinking:
    """The state of thinking that the text before the assistant's first token leaves."""
    opened, closed = turn.rfind(opening), turn.rfind(closing)
    if closed > opened:
        return Thinking.CLOSED
    return Thinking.OPEN if opened >= 0 else Thinking.ABSENT
