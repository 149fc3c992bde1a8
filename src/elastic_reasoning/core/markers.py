"""How model families spell what opens and closes thinking and tool calls, and where that is found in a tokenizer.

    find_thinking(added, chat)      # Spelling("<think>", "</think>")
    find_tools(added, chat)         # (Spelling("<tool_call>", "</tool_call>"),)

Most families write tags, which are recognised by their form. The others stand in one table. What is looked for is
looked for among the added tokens, then in the chat template; nothing here is an id.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from elastic_reasoning.core.errors import DelimiterError

LEFT, RIGHT = r"(<\|?|\[|◁)", r"(\|?>|\]|▷)"
THINK = r"(?:\w+[:_|])?(?:think|thinking|thought|thoughts|reason|reasoning)(?::\w+)?"
CALL = r"(?:\w+[:_|])?(?:tool_?calls?|function_?calls?)(?::\w+)?"
CLOSER, TOOL_CLOSER = (re.compile(f"{LEFT}/({name}){RIGHT}", re.IGNORECASE) for name in (THINK, CALL))
TAG = re.compile(rf"(<|\[|◁)/?({THINK})(>|\]|▷)")
"""A tag of either kind, in the exact letters of a family: <think>, [THINK], ◁think▷."""
BEGIN = re.compile(r"<\|(begin|start|BEGIN|START)_((?:of_|OF_)?(?:think|thinking|thought|reasoning|THINKING))\|>")
TOOL_BEGIN = re.compile(r"(<[|｜]tool[_▁]calls?(?:[_▁]section)?[_▁])(begin|start)([|｜]>)")
MARK = re.compile(r"<[^<>\s]+>")


@dataclass(frozen=True, slots=True)
class Spelling:
    """What opens and closes thinking or a tool call.

    Attributes:
        opening, closing: as text; a tool call without a closing lasts until the sequence ends.
        follow: what the format wants behind the closing of thinking, before the answer.
        end: what stands behind the answer in such a format.
        marks: the tokens by which the spelling is known; by default those that it is made of.
    """

    opening: str
    closing: str
    follow: str = ""
    end: str = ""
    marks: tuple[str, ...] = ()

    def tokens(self) -> frozenset[str]:
        """The tokens that a vocabulary needs to have for this to be found in it."""
        texts = [text for text in (self.opening, self.closing) if text]
        return frozenset(self.marks or [mark for text in texts for mark in MARK.findall(text) or [text]])

    def written_in(self, text: str) -> bool:
        """Whether both ends are written in a text."""
        return self.opening in text and self.closing in text


THINKING = (
    Spelling("<|channel>thought", "<channel|>"),  # Gemma 4
    Spelling("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),  # Command A
    Spelling("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>"),  # Sky-T1
    Spelling("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Spelling("Here is my thought process:", "Here is my response:"),  # Granite 3.2
    Spelling(  # Kimi K3
        "<|open|>think<|sep|>", "<|close|>think<|sep|>", "<|open|>response<|sep|>", "<|close|>response<|sep|>"
    ),
)
"""Thinking that is not written as a tag and its counterpart."""

TOOLS = (
    Spelling("<|START_ACTION|>", "<|END_ACTION|>"),  # Command A
    Spelling("<|tool_call>", "<tool_call|>"),  # Gemma 4
    Spelling("<start_function_call>", "<end_function_call>"),  # FunctionGemma
    Spelling("<|action_start|>", "<|action_end|>"),  # InternLM
    Spelling("<|tools_prefix|>", "<|tools_suffix|>"),  # Apertus
    Spelling("<|open|>tools<|sep|>", "<|close|>tools<|sep|>"),  # Kimi K3
    Spelling("<｜DSML｜function_calls>", "</｜DSML｜function_calls>", marks=("｜DSML｜",)),  # DeepSeek V3.2
    Spelling("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", marks=("｜DSML｜",)),  # DeepSeek V4
    Spelling("<function=", "</function>"),  # Functionary 3.1
    Spelling("[TOOL_CALLS]", ""),  # Mistral
    Spelling("<|python_tag|>", ""),  # Llama 3
    Spelling("<|tool_call|>", ""),  # Granite 3
)
"""Tool calls that are not written as a tag and its counterpart, or that only the end of the sequence closes."""


def find_thinking(added: Mapping[str, int], chat: str) -> Spelling:
    """The spelling of thinking of a tokenizer with these added tokens and this chat template.

    Where a chat template writes one tag of a pair and nothing writes the other, that is its counterpart.

    Raises:
        DelimiterError: nothing was found, or several.
    """
    candidates = list(dict.fromkeys([*THINKING, *_pairs("\n".join(added)), *_pairs(chat)]))
    in_tokens = [spelling for spelling in candidates if spelling.tokens() <= added.keys()]
    in_chat = [spelling for spelling in candidates if spelling.written_in(chat)]
    both = [spelling for spelling in in_tokens if spelling in in_chat]
    for found in (both, in_tokens, in_chat, list(_halves(chat))):
        if len(found) == 1:
            return found[0]
        if found:
            pairs = [(spelling.opening, spelling.closing) for spelling in found]
            raise DelimiterError(f"several thinking delimiters were found, {pairs}")
    raise DelimiterError(
        "no thinking delimiters: looked for a pair such as <think> </think> or [THINK] [/THINK] among "
        f"{len(added)} added tokens and in the chat template"
    )


def given_thinking(opening: str, closing: str) -> Spelling:
    """Delimiters that were told, with what a known format wants behind them."""
    known = (spelling for spelling in THINKING if (spelling.opening, spelling.closing) == (opening, closing))
    return next(known, Spelling(opening, closing))


def _pairs(text: str) -> Iterator[Spelling]:
    """Every pair of tags of which both are written in a text."""
    found = [(left + name + right, f"{left}/{name}{right}") for left, name, right in CLOSER.findall(text)]
    for word, name in BEGIN.findall(text):
        found.append((f"<|{word}_{name}|>", f"<|{'END' if word.isupper() else 'end'}_{name}|>"))
    spellings = (given_thinking(*pair) for pair in found)
    return (spelling for spelling in spellings if spelling.written_in(text))


def _halves(chat: str) -> Iterator[Spelling]:
    for left, name, right in dict.fromkeys(TAG.findall(chat)):
        yield Spelling(left + name + right, f"{left}/{name}{right}")


def find_tools(added: Mapping[str, int], chat: str) -> tuple[Spelling, ...]:
    """Every spelling of tool calls, those that the chat template writes first; plain text only where tokens have none.

    A format may have several, one within the other: a section of calls, and each call of it.
    """
    tokens = "\n".join(added)
    found = [*_tool_tags(tokens), *TOOLS]
    found = [spelling for spelling in found if spelling.tokens() <= added.keys()]
    if not found:
        found = [spelling for spelling in (*_tool_tags(chat), *TOOLS) if spelling.closing and spelling.written_in(chat)]
    by_opening: dict[str, Spelling] = {}
    for spelling in found:
        by_opening.setdefault(spelling.opening, spelling)
    return tuple(sorted(by_opening.values(), key=lambda spelling: spelling.opening not in chat))


def _tool_tags(text: str) -> Iterator[Spelling]:
    for left, name, right in dict.fromkeys(TOOL_CLOSER.findall(text)):
        yield Spelling(left + name + right, f"{left}/{name}{right}")
    for left, _, right in dict.fromkeys(TOOL_BEGIN.findall(text)):
        for word in ("begin", "start"):
            yield Spelling(f"{left}{word}{right}", f"{left}end{right}")
