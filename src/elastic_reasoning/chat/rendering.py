"""Chat messages to a prompt, through the tokenizer's chat template.

    prompt = render_prompt(tokenizer, template, [{"role": "user", "content": "1 + 1 = ?"}])
    prompt.thinking              # Thinking.ABSENT: the strategy will open it
    render_prompt(tokenizer, template, messages, {"enable_thinking": False}).thinking      # Thinking.CLOSED

Whether a prompt opens or closes thinking is read from what the chat template writes for the assistant's turn, in the
very rendering that is sent (`elastic_reasoning.chat.prompt_state`), so that a literal `<think>` in a user's text or in
the result of a tool is never taken for it. Messages that end with an answer of the assistant go on with it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from elastic_reasoning.chat.process import ChatTemplate, chat_template
from elastic_reasoning.chat.prompt_state import (
    MARK,
    PROMPT_ROLES,
    Renderings,
    add_mark,
    neutralise,
    prefilled_of,
    state_of_turn,
    texts_of,
    turn_of,
    words_of,
)
from elastic_reasoning.core.errors import TemplateError, unknown
from elastic_reasoning.core.template import Message, Prompt, Template, Thinking

RESERVED_ARGUMENTS = ("messages", "tools", "documents", "add_generation_prompt", "continue_final_message")
"""Variables of a chat template that are not for `chat_template_kwargs`."""
PROBE = "1 + 1 = ?"
FEWEST_LETTERS, MOST_LETTERS = 8, 40
"""Of the words by which a prompt is seen to offer tools."""


def render_prompt(
    tokenizer: Any,
    template: Template,
    messages: Sequence[Message],
    chat_template_kwargs: Mapping[str, Any] | None = None,
    *,
    apply_chat_template: bool = True,
    tools: Sequence[Message] = (),
) -> Prompt:
    """Messages to a prompt; arguments and errors as those of `Renderer`, which is for more than one."""
    renderer = Renderer(tokenizer, template, chat_template_kwargs, apply_chat_template=apply_chat_template)
    return renderer.prompt(messages, tools)


class Renderer:
    """Makes prompts of chat messages, all by one chat template and its arguments.

    Args:
        tokenizer: a Hugging Face tokenizer.
        template: how its model marks thinking.
        chat_template_kwargs: arguments of the chat template, as {"enable_thinking": False}; plain JSON.
        apply_chat_template: send messages through the chat template; otherwise their contents are sent as plain text,
            a line for each.

    Raises:
        TemplateError: the chat template reads no such argument.
    """

    def __init__(
        self,
        tokenizer: Any,
        template: Template,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        *,
        apply_chat_template: bool = True,
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.chat_template_kwargs = dict(chat_template_kwargs or {})
        self.apply_chat_template = apply_chat_template
        if self.chat_template_kwargs:
            self.check()

    def check(self) -> None:
        """Refuse what no prompt can be made with.

        Raises:
            TemplateError: there is no chat template, it is none, or it reads an argument under no such name.
        """
        if self.apply_chat_template:
            read, known = {*self._chat.variables} - self._others, self.arguments
            for name in self.chat_template_kwargs:
                if name not in read and known:
                    raise TemplateError(unknown("argument of the chat template (chat_template_kwargs)", name, known))
                if name not in read:
                    raise TemplateError(f"chat_template_kwargs {name!r}: the chat template takes none, leave it out")
        elif self.chat_template_kwargs:
            raise TemplateError("chat_template_kwargs mean nothing to plain text: leave apply_chat_template on")

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments that the chat template takes, special tokens not among them."""
        return tuple(name for name in self._chat.given if name not in self._others)

    @cached_property
    def note(self) -> str:
        """What a user should know of the prompts; empty where there is nothing to say."""
        if self.tokenizer is None:  # an engine of ids alone
            return ""
        if not self.apply_chat_template:
            return "messages are sent as plain text, without a chat template"
        try:
            state = self.prompt([{"role": "user", "content": PROBE}]).thinking
        except TemplateError:  # whatever it wants: what it refuses is said where it is asked
            return ""
        if state is not Thinking.CLOSED:
            return ""
        takes = f"; it takes chat_template_kwargs {', '.join(self.arguments)}" if self.arguments else ""
        return f"THE CHAT TEMPLATE CLOSES THINKING: the thinking budget t HAS NO EFFECT{takes}"

    @cached_property
    def header(self) -> str:
        """What the chat template writes behind a user's message, up to a delimiter: an assistant's turn begins so."""
        turn = self.generation_prompt
        delimiters = (self.template.opening.text, self.template.closing.text)
        ends = [turn.find(delimiter) for delimiter in delimiters if delimiter in turn]
        return turn[: min(ends, default=len(turn))]

    @cached_property
    def generation_prompt(self) -> str:
        """All that the chat template writes behind a user's message; empty where it refuses one."""
        (text,) = self._render(([{"role": "user", "content": MARK}], True))
        return (text or "").rpartition(MARK)[2]

    @cached_property
    def tools_header(self) -> str:
        """The last words that the chat template writes before the tools of a request; empty where it takes none."""
        messages, tool = [{"role": "user", "content": PROBE}], {"name": MARK, "description": MARK, "parameters": {}}
        (without,), (text,) = (
            self._render((messages, True), tools=tools) for tools in ((), ({"type": "function", "function": tool},))
        )
        if without is None or text is None or MARK not in text:
            return ""
        common = next(
            (n for n, pair in enumerate(zip(text, without, strict=False)) if pair[0] != pair[1]), len(without)
        )
        before, brace = text.index(MARK), text.find("{", common)
        words = text[: brace if 0 <= brace < before else before].rstrip()
        line = words.rpartition("\n")[2]
        found = (line if len(line) >= FEWEST_LETTERS else words)[-MOST_LETTERS:]
        return "" if found in without else found

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt.

        Args:
            messages: the conversation so far.
            tools: what the model may call, as JSON schemas of functions; the chat template writes them.

        Raises:
            TemplateError: there is no chat template, it fails, or it leaves out the last message or the tools.
        """
        if not messages:
            raise TemplateError("no messages: give at least one")
        if tools and not (self.apply_chat_template and "tools" in self._chat.variables):
            raise TemplateError("tools: the chat template writes none, say in a message what can be called and how")
        if not self.apply_chat_template:
            return Prompt(encode_text(self.tokenizer, "\n".join("".join(texts_of(message)) for message in messages)))
        words = words_of(messages[-1])
        prefilled = messages[-1].get("role") == "assistant" and bool(words.strip())
        renderings = self._renderings(messages, prefilled, tools)
        text, turn = renderings.sent, ""
        if not prefilled:
            if renderings.marked is not None and MARK not in renderings.marked:
                raise _not_written(messages[-1])
            turn = turn_of(renderings, self.header)
        elif (found := prefilled_of(renderings, words, self.header)) is not None:
            text, turn = found
        else:
            raise _not_written(messages[-1])
        state = state_of_turn(turn, self.template.opening.text, self.template.closing.text, begun=prefilled)
        return Prompt(_encode(self.tokenizer, text), state, bool(tools))

    def _renderings(self, messages: Sequence[Message], prefilled: bool, tools: Sequence[Message]) -> Renderings:
        asked = next((n for n in range(len(messages), 0, -1) if messages[n - 1].get("role") in PROMPT_ROLES), 0)
        before = messages[:-1] if prefilled else messages[:asked]
        delimiters = (self.template.opening.text, self.template.closing.text)
        results = [neutralise(message, delimiters) for message in messages[asked:]]
        sent, plain, with_mark, until, harmless = self._render(
            (messages, not prefilled),
            (messages, False),
            ([*messages[:-1], add_mark(messages[-1])], not prefilled),
            (before or messages, False),
            ([*messages[:asked], *results], not prefilled),
            tools=tools,
            first_must=True,
        )
        assert sent is not None
        return Renderings(sent, plain, with_mark, until if before else "", harmless)

    def _render(
        self, *wanted: tuple[Sequence[Message], bool], tools: Sequence[Message] = (), first_must: bool = False
    ) -> list[str | None]:
        """Messages, with or without a generation prompt, as text; `None` where the chat template refuses them.

        Raises:
            TemplateError: it refuses the first ones, if they must be rendered.
        """
        shared = {
            **self._special_tokens,
            **self.chat_template_kwargs,
            "tools": [*map(dict, tools)] or None,
            "documents": None,
        }
        answers = self._chat.render(
            [
                {**shared, "messages": [dict(message) for message in messages], "add_generation_prompt": add}
                for messages, add in wanted
            ]
        )
        if first_must and answers[0].text is None:
            raise TemplateError(answers[0].failure)
        return [answer.text for answer in answers]

    @property
    def _others(self) -> set[str]:
        return {*RESERVED_ARGUMENTS, *self._special_tokens}

    @property
    def _special_tokens(self) -> dict[str, Any]:
        tokens: dict[str, Any] = self.tokenizer.special_tokens_map
        return {name: str(text) if not isinstance(text, list) else [*map(str, text)] for name, text in tokens.items()}

    @property
    def _chat(self) -> ChatTemplate:
        if not self.tokenizer.chat_template:
            raise TemplateError(
                "the model has no chat template: not in its tokenizer, in chat_template.jinja or chat_template.json, "
                "or in its processor; give it one (chat_template.jinja beside the tokenizer), or set "
                "apply_chat_template to false (--apply_chat_template false) to send plain text"
            )
        try:
            source = self.tokenizer.get_chat_template()
        except ValueError:
            names = ", ".join(sorted(self.tokenizer.chat_template))
            raise TemplateError(f"the chat templates {names}: none of them is the default, give one that is") from None
        return chat_template(source)


def encode_text(tokenizer: Any, text: str) -> tuple[int, ...]:
    """A text as the beginning of a prompt: what the tokenizer puts before a text stands there, and not twice."""
    before, _ = added_to_text(tokenizer)
    ids = _encode(tokenizer, text)
    return ids if ids[: len(before)] == before else (*before, *ids)


def added_to_text(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that the tokenizer itself puts before and behind every text, which may be none for all its tokens."""
    alone, whole = (tuple(tokenizer.encode(PROBE, add_special_tokens=add)) for add in (False, True))
    start = next((n for n in range(len(whole) - len(alone) + 1) if whole[n : n + len(alone)] == alone), 0)
    return whole[:start], whole[start + len(alone) :]


def _encode(tokenizer: Any, text: str) -> tuple[int, ...]:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TemplateError(
            f"the prompt holds half a character ({text[error.start]!a} at {error.start}), which no tokenizer reads"
        ) from None
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def _not_written(message: Message) -> TemplateError:
    return TemplateError(
        f"the chat template does not write what the last message says (role {message.get('role')!r}), so that "
        "it cannot be told whether it opens thinking: end with a message that it writes"
    )
