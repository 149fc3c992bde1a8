"""How a model family marks thinking, read from its tokenizer.

    template = resolve_template(AutoTokenizer.from_pretrained("Qwen/Qwen3-8B"))
    template.closing.text        # "</think>"

Nothing here is a table of ids. The pair of delimiters is looked for among the tokenizer's added tokens, then in
its chat template; a channel format is known by its markers (`elastic_reasoning.channels`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from elastic_reasoning.channels import ENDS, Channels
from elastic_reasoning.delimiter import Delimiter, TextDelimiter, TokenDelimiter, Tools
from elastic_reasoning.errors import TemplateError

Message = Mapping[str, Any]

HOW_TO_PASS = "pass them as opening='<think>' and closing='</think>' (--opening, --closing)"
CLOSER = re.compile(
    r"(<\|?|\[|◁)/((?:[\w]+:)?(?:think|thinking|thought|thoughts|reason|reasoning))(\|?>|\]|▷)", re.IGNORECASE
)
BEGIN = re.compile(r"<\|(begin|start)_of_(think|thinking|thought|reasoning)\|>")
TOOL_CLOSER = re.compile(r"(<\|?|\[|◁)/((?:\w+:)?tool_?calls?)(\|?>|\]|▷)", re.IGNORECASE)
TOOL_BEGIN = re.compile(r"(<[|｜]tool[_▁]calls(?:[_▁]section)?[_▁])begin([|｜]>)")
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
    """A prompt as ids `[n]`, and its state of thinking."""

    ids: tuple[int, ...]
    thinking: Thinking = Thinking.ABSENT


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
    """

    opening: Delimiter
    closing: Delimiter
    eos: frozenset[int]
    num_tokens: int
    encode: Callable[[str], tuple[int, ...]]
    decode: Callable[[Sequence[int]], str]
    tools: Tools | None = None

    @cached_property
    def boundaries(self) -> frozenset[int]:
        """Ids whose text ends a line or a sentence: where grace may close thinking."""
        return frozenset(index for index in range(self.num_tokens) if BOUNDARY.search(self.decode([index])))


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
    delimiters = find_delimiters(tokenizer, opening=opening, closing=closing)
    codec, added = _codec(tokenizer), _added(tokenizer)
    channels = None if opening else Channels.of(added, *codec)
    eos = frozenset(eos_ids) | frozenset([tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else [])
    if channels:
        eos |= {added[name] for name in ENDS if name in added}
    if not eos:
        raise TemplateError("the tokenizer names no end-of-sequence token: set tokenizer.eos_token or pass eos_ids")
    tools = channels.tools() if channels else _found_tools(tokenizer, added)
    return Template(*delimiters, eos, _num_tokens(tokenizer), *codec, tools)


def find_delimiters(
    tokenizer: Any, *, opening: str | None = None, closing: str | None = None
) -> tuple[Delimiter, Delimiter]:
    """What opens and closes thinking; arguments and errors as those of `resolve_template`."""
    given, added = check_pair(opening, closing), _added(tokenizer)
    encode, decode = _codec(tokenizer)
    channels = None if given else Channels.of(added, encode, decode)
    if channels:
        return channels.thinking()
    num_tokens = _num_tokens(tokenizer)
    pair = given or _found_pair(tokenizer, added)
    first, last = (_delimiter(text, added, num_tokens, encode, decode) for text in pair)
    return first, last


def _added(tokenizer: Any) -> dict[str, int]:
    """The ids of the tokens that were added to the vocabulary, by their texts."""
    return {str(token): index for index, token in tokenizer.added_tokens_decoder.items()}


def _chat_text(tokenizer: Any) -> str:
    """The chat template, or all of them where there are several."""
    chat = tokenizer.chat_template or ""
    return chat if isinstance(chat, str) else "\n".join(chat.values())


def _num_tokens(tokenizer: Any) -> int:
    return int(max(tokenizer.get_vocab().values())) + 1


def _codec(tokenizer: Any) -> tuple[Callable[[str], tuple[int, ...]], Callable[[Sequence[int]], str]]:
    """Text to ids and ids to text, with nothing added and nothing left out."""

    def encode(text: str) -> tuple[int, ...]:
        return tuple(tokenizer.encode(text, add_special_tokens=False)) if text else ()

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    return encode, decode


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


def _found_pair(tokenizer: Any, added: Mapping[str, int]) -> tuple[str, str]:
    in_tokens = [pair for pair in _pairs("\n".join(added)) if pair[0] in added and pair[1] in added]
    in_chat = _pairs(_chat_text(tokenizer))
    for pairs in ([pair for pair in in_tokens if pair in in_chat], in_tokens, in_chat):
        if len(pairs) == 1:
            return pairs[0]
        if pairs:
            raise TemplateError(f"several thinking delimiters were found, {pairs}: {HOW_TO_PASS}")
    raise TemplateError(
        "no thinking delimiters: looked for a pair such as <think> </think> or [THINK] [/THINK] among "
        f"{len(added)} added tokens and in the chat template; {HOW_TO_PASS}"
    )


def _pairs(text: str) -> list[tuple[str, str]]:
    """Every pair of delimiters of which both are written in the text, each once, in order."""
    found = [(left + name + right, f"{left}/{name}{right}") for left, name, right in CLOSER.findall(text)]
    found += [(f"<|{word}_of_{name}|>", f"<|end_of_{name}|>") for word, name in BEGIN.findall(text)]
    return [pair for pair in dict.fromkeys(found) if pair[0] in text and pair[1] in text]


def _found_tools(tokenizer: Any, added: Mapping[str, int]) -> Tools | None:
    """The added tokens that open and close a tool call; of several pairs the one that the chat template writes."""
    written, chat = "\n".join(added), _chat_text(tokenizer)
    found = [(left + name + right, f"{left}/{name}{right}") for left, name, right in TOOL_CLOSER.findall(written)]
    found += [(f"{left}begin{right}", f"{left}end{right}") for left, right in TOOL_BEGIN.findall(written)]
    pairs = [pair for pair in found if set(pair) <= added.keys()]
    if not pairs:
        return None
    first, last = min(pairs, key=lambda pair: pair[0] not in chat)
    opening, closing = (TokenDelimiter(text, (added[text],)) for text in (first, last))
    return Tools(opening, closing, sign=added[first])


def _delimiter(
    text: str,
    added: Mapping[str, int],
    num_tokens: int,
    encode: Callable[[str], tuple[int, ...]],
    decode: Callable[[Sequence[int]], str],
) -> Delimiter:
    ids = encode(text)
    if not ids:
        raise TemplateError(f"delimiter {text!r} has no tokens in this vocabulary: {HOW_TO_PASS}")
    if text in added:
        return TokenDelimiter(text, ids)
    if decode(ids).strip() != text.strip():
        raise TemplateError(f"delimiter {text!r} reads {decode(ids)!r} once tokenised: {HOW_TO_PASS}")
    return TextDelimiter.of(text, [decode([index]) for index in range(num_tokens)], encode)


def as_ids(value: int | Iterable[int] | None) -> tuple[int, ...]:
    """What a generation configuration says of ends of sequence: one id, several, or none."""
    return () if value is None else (value,) if isinstance(value, int) else tuple(value)
