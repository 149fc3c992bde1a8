"""Channel formats, as gpt-oss has one: the header of a message says what it is.

    <|start|>assistant<|channel|>analysis<|message|>thinking<|end|>
    <|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x": 1}<|call|>
    <|start|>assistant<|channel|>final<|message|>solution<|return|>

A header is the `<|end|>` of the message before it, and all up to its `<|message|>`; the first `<|start|>assistant`
stands in the prompt. The markers are special tokens; the words between them are plain text, which may be tokenised in
several ways, so that headers are read on decoded text. The commentary channel and every message with a recipient
(`to=`) are for tools, and are handled as tool calls.

Format: https://cookbook.openai.com/articles/openai-harmony
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.tools import Tools

MARKERS = END, START, CHANNEL, CONSTRAIN, MESSAGE = (
    "<|end|>",
    "<|start|>",
    "<|channel|>",
    "<|constrain|>",
    "<|message|>",
)
"""In the order in which they may stand in a header."""
ENDS = "<|return|>", "<|call|>"
"""What ends the sequence, at the end of a solution and of a tool call."""
ROLE, THINKING, SOLUTION, TOOL = "assistant", "analysis", "final", "commentary"
RECIPIENT = re.compile(r"(^|\s)to=")
RECIPIENT_BEGUN = re.compile(r"\sto?$")
MOST_IDS = 128
"""Ids that a header has at the most: so many are looked at."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header, or as much of one as is written.

    Attributes:
        size: how many of the last ids it takes.
        texts: the text behind each of its markers.
    """

    size: int
    texts: Mapping[str, str]

    @property
    def done(self) -> bool:
        return MESSAGE in self.texts

    @property
    def kind(self) -> str:
        """The channel, and that of tools whatever the channel where there is a recipient."""
        if any(RECIPIENT.search(text) for text in self.texts.values()):
            return TOOL
        return next(iter(self.texts.get(CHANNEL, "").split()), "")

    @property
    def sure_tool(self) -> bool:
        """Whether this can only be, or become, the header of a tool's message."""
        recipient = any(RECIPIENT_BEGUN.search(text) for text in self.texts.values())
        return recipient or (bool(self.kind) and TOOL.startswith(self.kind))


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """A channel format.

    Attributes:
        markers: each marker's name by its id.
        encode, decode: text to ids and ids to text, with nothing added and nothing left out.
    """

    markers: Mapping[int, str]
    encode: Callable[[str], tuple[int, ...]]
    decode: Callable[[Sequence[int]], str]

    @classmethod
    def of(
        cls, added: Mapping[str, int], encode: Callable[[str], tuple[int, ...]], decode: Callable[[Sequence[int]], str]
    ) -> "Channels | None":
        """The format of a tokenizer with these added tokens; `None` where it is no channel format."""
        markers = {added[name]: name for name in MARKERS if name in added}
        return cls(markers, encode, decode) if {END, START, CHANNEL, MESSAGE} <= set(markers.values()) else None

    def last(self, ids: Sequence[int]) -> Header | None:
        """The last header in the ids, done or not."""
        texts: dict[str, str] = {}
        first, size = MARKERS.index(MESSAGE) + 1, 0
        for place in range(len(ids) - 1, max(-1, len(ids) - 1 - MOST_IDS), -1):
            name = self.markers.get(ids[place])
            if name is None:
                continue
            text = ids[place + 1 : len(ids) - size]
            if MARKERS.index(name) >= first or (text and name == END):
                break
            texts[name] = self.decode(text)
            first, size = MARKERS.index(name), len(ids) - place
        return Header(size, texts) if texts.keys() & {END, START, CHANNEL} else None

    def header(self, channel: str) -> "HeaderDelimiter":
        """The header of a message in a channel, as a delimiter."""
        whole = self.encode(f"{END}{START}{ROLE}{CHANNEL}{channel}{MESSAGE}")
        return HeaderDelimiter(self, channel, self.encode(f"{CHANNEL}{channel}{MESSAGE}"), whole)

    def thinking(self) -> tuple["HeaderDelimiter", "HeaderDelimiter"]:
        """What opens thinking in a prompt that ends with the assistant's role, and what closes it."""
        closing = self.header(SOLUTION)
        return self.header(THINKING), replace(closing, ids=closing.whole)

    def tools(self) -> Tools:
        """What opens a message for tools, and what closes it within a solution."""
        return Tools(
            ((self.header(TOOL), TokenDelimiter(END, self.encode(END))),),
            always=True,
            resumes=True,
            in_progress=self._tool_in_progress,
        )

    def _tool_in_progress(self, ids: Sequence[int]) -> int:
        header = self.last(ids)
        return header.size if header and not header.done and header.sure_tool else 0


@dataclass(frozen=True, slots=True, eq=False)
class HeaderDelimiter:
    """The header of a message in one channel.

    Attributes:
        channel: the name of the channel; that of tools stands for every message with a recipient too.
        ids: what is forced.
        whole: the header from the `<|end|>` before it on.
    """

    channels: Channels
    channel: str
    ids: tuple[int, ...]
    whole: tuple[int, ...]

    @property
    def text(self) -> str:
        return f"{CHANNEL}{self.channel}{MESSAGE}"

    @property
    def forced(self) -> tuple[int, ...]:
        return self.ids

    @property
    def watch(self) -> frozenset[int]:
        return frozenset(self.ids[-1:])

    @property
    def most_forced(self) -> int:
        """What completes another message's header, and then the whole of this one."""
        spelled = max(len(self.channels.encode(THINKING[start:])) for start in range(len(THINKING)))
        return spelled + 1 + len(self.whole)

    @property
    def longest(self) -> int:
        return MOST_IDS

    def alone(self) -> "HeaderDelimiter":
        return self  # the channel is part of the header

    def ends(self, ids: Sequence[int]) -> int:
        if not ids or ids[-1] not in self.watch:
            return 0
        header = self.channels.last(ids)
        return header.size if header and header.kind == self.channel else 0

    def begun(self, ids: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """A header that can no longer become this one is completed as what it is, and this one follows it."""
        header = self.channels.last(ids)
        return (0, self.ids) if header is None or header.done else (header.size, self._rest(header))

    def pending(self, ids: Sequence[int]) -> int:
        return self.begun(ids)[0]

    def _rest(self, header: Header) -> tuple[int, ...]:
        encode, done = self.channels.encode, self.ids[-1:]
        after_role = f"{CHANNEL}{self.channel}{MESSAGE}"
        if header.texts.keys() == {END}:
            return self.whole[1:]
        if CONSTRAIN not in header.texts and CHANNEL in header.texts:
            for channel, after in ((self.channel, ()), (THINKING, self.whole)):
                if channel.startswith(header.texts[CHANNEL]):
                    return (*encode(channel[len(header.texts[CHANNEL]) :]), *done, *after)
        if header.texts.keys() <= {END, START}:
            role = header.texts[START]
            if role.strip() == ROLE or ROLE.startswith(role):
                return encode(ROLE[len(role) :] + after_role)
        return done if header.kind == self.channel else (*done, *self.whole)
