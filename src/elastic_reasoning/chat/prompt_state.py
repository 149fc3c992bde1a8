"""What a rendered prompt says of thinking: read from what the chat template wrote for the assistant's turn.

A chat template writes text of its own and what the messages say, and both may hold a delimiter. Where the assistant's
turn begins is therefore told by renderings: with and without the generation prompt, of the messages before it, and
with a mark behind the last message. Only what is sent is read; the other renderings say where.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elastic_reasoning.core.template import Message, Thinking

PROMPT_ROLES = ("user", "system", "developer")
"""Roles that end an assistant's turn; the results of tools may stand within it."""
MARK = "70913582460917358264"
"""Digits, which no chat template trims, folds or escapes."""
MARKED_PART = {"type": "text", "text": MARK}
NEUTRAL = "\ue000"
"""A character for private use, which no message holds: within a delimiter it makes another text of it."""
TOOL_RESULT = re.compile(
    r"<[|｜]?tool[_▁](output|response|result)s?([_▁]begin)?[|｜]?>.*?<[/|｜]?[|｜]?tool[_▁]\1s?([_▁]end)?[|｜]?>",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Renderings:
    """What a chat template makes of the same messages in several ways; `None` where it refuses.

    Attributes:
        sent: with the generation prompt; without it where the last message is a prefilled answer.
        plain: without the generation prompt.
        marked: as `sent`, of messages of which the last one is `marked`.
        before: without the generation prompt, of the messages before the assistant's turn: up to the last one that
            asks, or all but a prefilled answer; empty where there are none.
        neutral: as `sent`, with the results of tools made `neutral`.
    """

    sent: str
    plain: str | None
    marked: str | None
    before: str | None
    neutral: str | None


def turn_of(renderings: Renderings, header: str) -> str:
    """What is written for the assistant's turn behind the last message.

    Args:
        renderings: of messages of which the last one is not the assistant's.
        header: what the chat template writes behind a user's message, up to a delimiter.
    """
    sent, plain, before, harmless = renderings.sent, renderings.plain, renderings.before, renderings.neutral
    if plain and plain != sent and sent.startswith(plain):
        return sent[len(plain) :]
    same = harmless is not None and harmless.replace(NEUTRAL, "") == sent
    if before and harmless and same and harmless != before and harmless.startswith(before):
        return harmless[len(before) :]  # the turn goes on behind the results of tools
    if renderings.marked and renderings.marked.replace(MARK, "") == sent:
        return renderings.marked.rpartition(MARK)[2]
    return sent.rpartition(header)[2] if header and header in sent else ""


def prefilled_of(renderings: Renderings, words: str, header: str) -> tuple[str, str] | None:
    """The prompt that ends with the words of a prefilled answer, and in it the assistant's turn.

    Args:
        renderings: of messages of which the last one is the assistant's.
        words: what that one says.
        header: as for `turn_of`.

    Returns:
        `None` where the chat template does not write the words.
    """
    sent, before, with_mark = renderings.sent, renderings.before, renderings.marked
    kept = words.strip()
    if with_mark and MARK in with_mark and with_mark.replace(MARK, "") == sent:
        end = with_mark.rindex(MARK)
    elif kept in sent:
        end = sent.rindex(kept) + len(kept)
    else:
        return None
    blank = words[len(words.rstrip()) :]
    prompt = sent[:end] + blank * sent.startswith(blank, end)
    if before is not None and sent.startswith(before) and len(before) <= end - len(kept):
        return prompt, prompt[len(before) :]
    return prompt, prompt.rpartition(header)[2] if header and header in prompt else kept


def state_of_turn(turn: str, opening: str, closing: str, *, begun: bool = False) -> Thinking:
    """The state of thinking in which an assistant's turn stands.

    Thinking that was closed stays closed: what opens it again is an escape, or a word of a tool, unless nothing
    stands behind it.

    Args:
        turn: what is written of it so far.
        opening, closing: the delimiters.
        begun: it holds words that are no header: without delimiters they are an answer.
    """
    opened, closed = turn.rfind(opening), turn.rfind(closing)
    if closed >= 0:
        reopened = opened > closed and turn.rstrip().endswith(opening.rstrip())
        return Thinking.OPEN if reopened else Thinking.CLOSED
    if opened >= 0:
        return Thinking.OPEN
    return Thinking.CLOSED if begun else Thinking.ABSENT


def texts_of(message: Message) -> list[str]:
    """What a message says, where that is text: each of its parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str)]


def words_of(message: Message) -> str:
    """The last text of a message; empty where it has none."""
    return (texts_of(message) or [""])[-1]


def add_mark(message: Message) -> Message:
    """A message with the mark behind its last word: what a chat template writes behind it is the assistant's turn.

    The message itself stays, as a chat template may look into it ("/no_think").
    """
    content = message.get("content") or ""
    if isinstance(content, str):
        words = content.rstrip()
        return {**message, "content": f"{words}{MARK}{content[len(words) :]}"}
    return {**message, "content": [*content, MARKED_PART]}


def neutralise(message: Message, delimiters: Sequence[str]) -> Message:
    """A message without delimiters, of the same words; one of the assistant stays as it is."""
    if message.get("role") == "assistant":
        return message
    return {name: _neutralise(value, delimiters) for name, value in message.items()}


def _neutralise(value: Any, delimiters: Sequence[str]) -> Any:
    if isinstance(value, str):
        for delimiter in delimiters:
            value = value.replace(delimiter, delimiter[:1] + NEUTRAL + delimiter[1:])
        return value
    if isinstance(value, Mapping):
        return {name: _neutralise(each, delimiters) for name, each in value.items()}
    return [_neutralise(each, delimiters) for each in value] if isinstance(value, list | tuple) else value
