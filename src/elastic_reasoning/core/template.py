"""How a model family marks thinking, read from its tokenizer.

    template = resolve_template(AutoTokenizer.from_pretrained("Qwen/Qwen3-8B"))
    template.closing.text        # "</think>"

The pair of delimiters is looked for among the tokenizer's added tokens, then in its chat template
(`elastic_reasoning.core.markers`); a channel format is known by its markers (`elastic_reasoning.core.channels`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from elastic_reasoning.core.channels import ENDS, Channels
from elastic_reasoning.core.codec import Codec
from elastic_reasoning.core.delimiter import Delimiter, TextDelimiter, TokenDelimiter
from elastic_reasoning.core.errors import DelimiterError, TemplateError
from elastic_reasoning.core.markers import MARK, Spelling, find_thinking, find_tools, given_thinking
from elastic_reasoning.core.tools import Tools

Message = Mapping[str, Any]

BOUNDARY = re.compile(r"(\n|[.!?。！？][\"')\]]*)[ \t]*$")


class Thinking(StrEnum):
    """What the prompt says of thinking before the first token is sampled."""

    ABSENT = "absent"
    """The prompt does not mention it."""
    OPEN = "open"
    """The chat template has opened it."""
    CLOSED = "closed"
    """The chat template has opened and closed it: the model is to answer at once."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as ids `[n]`, and its state of thinking.

    Attributes:
        tools: whether the request offers tools. A prompt that holds what opens a call offers them in any case.
    """

    ids: tuple[int, ...]
    thinking: Thinking = Thinking.ABSENT
    tools: bool = False


@dataclass(frozen=True)
class Template:
    """How a model family marks thinking.

    Attributes:
        opening, closing: the delimiters.
        eos: every id that ends a sequence.
        num_tokens: size of the vocabulary.
        encode: text to ids, without special tokens added around it.
        decode: ids to text, special tokens kept.
        tools: how tool calls are marked; `None` where that is not known.
        frame: what the format writes before and behind the answer, which is no part of it.
    """

    opening: Delimiter
    closing: Delimiter
    eos: frozenset[int]
    num_tokens: int
    encode: Callable[[str], tuple[int, ...]]
    decode: Callable[[Sequence[int]], str]
    tools: Tools | None = None
    frame: tuple[str, str] = ("", "")

    def tools_of(self, prompt: Prompt) -> Tools | None:
        """How the tool calls are marked that a prompt offers; `None` where it offers none."""
        offered = self.tools is not None and (prompt.tools or self.tools.offered(prompt.ids))
        return self.tools if offered else None

    def closing_of(self, prompt: Prompt) -> Delimiter:
        """What closes the thinking behind a prompt: where it offers tools, a call may follow as well as an answer."""
        return self.closing.alone() if self.tools_of(prompt) else self.closing

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What each id reads as by itself."""
        return tuple(self.decode([index]) for index in range(self.num_tokens))

    @cached_property
    def boundaries(self) -> frozenset[int]:
        """Ids whose text ends a line or a sentence: where grace may close thinking."""
        return frozenset(index for index, text in enumerate(self.texts) if BOUNDARY.search(text))


def resolve_template(
    tokenizer: Any,
    *,
    opening: str | None = None,
    closing: str | None = None,
    eos_ids: Iterable[int] = (),
) -> Template:
    """Find a tokenizer's thinking delimiters.

    Args:
        tokenizer: a Hugging Face tokenizer.
        opening, closing: the delimiters as text, where they should not be looked for.
        eos_ids: further ids that end a sequence, such as those of the model's generation configuration.

    Raises:
        TemplateError: no pair, or several, were found.
    """
    codec, added, chat = Codec(tokenizer), _added(tokenizer), chat_text(tokenizer)
    first: Delimiter
    last: Delimiter
    tools: Tools | None
    channels = None if check_pair(opening, closing) else _channels(codec, added)
    eos = frozenset(eos_ids) | frozenset([tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else [])
    if channels:
        eos |= {added[name] for name in ENDS if name in added}
        first, last, frame, tools = *channels.thinking(), ("", ""), channels.tools()
    else:
        spelling = _spelling(tokenizer, opening, closing)
        first, last = _pair(spelling, added, codec)
        frame, tools = _frame(spelling, added), _tools(find_tools(added, chat), added, codec)
    if not eos:
        raise TemplateError("the tokenizer names no end-of-sequence token: set tokenizer.eos_token or pass eos_ids")
    return Template(first, last, eos, codec.num_tokens, codec.encode, codec.decode, tools, frame)


def find_delimiters(
    tokenizer: Any, *, opening: str | None = None, closing: str | None = None
) -> tuple[Delimiter, Delimiter]:
    """What opens and closes thinking; arguments and errors as those of `resolve_template`."""
    codec, added = Codec(tokenizer), _added(tokenizer)
    channels = None if check_pair(opening, closing) else _channels(codec, added)
    return channels.thinking() if channels else _pair(_spelling(tokenizer, opening, closing), added, codec)


def _added(tokenizer: Any) -> dict[str, int]:
    """The ids of the tokens that were added to the vocabulary, by their texts."""
    return {str(token): index for index, token in tokenizer.added_tokens_decoder.items()}


def chat_text(tokenizer: Any) -> str:
    """The chat template, or all of them where there are several."""
    chat = tokenizer.chat_template or ""
    return chat if isinstance(chat, str) else "\n".join(chat.values())


def _channels(codec: Codec, added: Mapping[str, int]) -> Channels | None:
    return Channels.of(added, codec.encode, codec.decode)


def _spelling(tokenizer: Any, opening: str | None, closing: str | None) -> Spelling:
    if opening and closing:
        return given_thinking(opening, closing)
    return find_thinking(_added(tokenizer), chat_text(tokenizer))


def check_pair(opening: str | None, closing: str | None) -> tuple[str, str] | None:
    """The delimiters that a caller gives, or `None` where they are to be found.

    Raises:
        TemplateError: one of them is missing or empty.
    """
    if opening is None and closing is None:
        return None
    if not opening or not closing:
        raise TemplateError(f"opening={opening!r} with closing={closing!r}: both delimiters must be given")
    return opening, closing


def _frame(spelling: Spelling, added: Mapping[str, int]) -> tuple[str, str]:
    """What stands before and behind an answer, in a vocabulary that has it."""
    known = MARK.match(spelling.follow)
    return (spelling.follow, spelling.end) if known and known[0] in added else ("", "")


def _pair(spelling: Spelling, added: Mapping[str, int], codec: Codec) -> tuple[Delimiter, Delimiter]:
    follow = codec.encode(_frame(spelling, added)[0])
    return _delimiter(spelling.opening, added, codec), _delimiter(spelling.closing, added, codec, follow)


def _tools(spellings: Sequence[Spelling], added: Mapping[str, int], codec: Codec) -> Tools | None:
    """What is marked as tool calls and can be written in this vocabulary."""
    pairs: list[tuple[Delimiter, Delimiter | None]] = []
    for spelling in spellings:
        with suppress(DelimiterError):
            closing = _delimiter(spelling.closing, added, codec) if spelling.closing else None
            pairs.append((_delimiter(spelling.opening, added, codec), closing))
    return Tools(tuple(pairs)) if pairs else None


def _delimiter(text: str, added: Mapping[str, int], codec: Codec, follow: tuple[int, ...] = ()) -> Delimiter:
    if text in added:
        return TokenDelimiter(text, (added[text],), follow)
    ids = codec.encode(text)
    if not ids:
        raise DelimiterError(f"delimiter {text!r} has no tokens in this vocabulary")
    if codec.decode(ids).strip() != text.strip():
        raise DelimiterError(f"delimiter {text!r} reads {codec.decode(ids)!r} once tokenised")
    delimiter = TextDelimiter.of(text, codec.pieces, codec.spell, follow)
    # A vocabulary of words writes a blank before each: only a whole word can be forced.
    return delimiter if delimiter.ids else replace(delimiter, rests=(ids, *delimiter.rests[1:]))
