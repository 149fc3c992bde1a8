import pytest

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.chat.turn import offers_tools, thinking_of
from elastic_reasoning.core.template import Thinking, resolve_template
from families import (
    ADD,
    CHATML_TOKENS,
    DEEPSEEK,
    DEEPSEEK_OLD,
    DEEPSEEK_TOKENS,
    FAMILIES,
    LFM,
    QWEN3,
    QWEN3_WITHOUT,
    QWQ,
    WITH_TOOLS,
    tokenizer_of,
    user,
)

CHAT = [
    *user("1 + 1 ?"),
    {"role": "assistant", "content": "<think>\none and one\n</think>\n\n2 ."},
    *user("and <think> why ?"),
]
LITERAL = user("what does <think> mean, and </think> ?")
LITERAL_LAST = user("write </think> and then <think>")
TOOL = [
    *user("1 + 1 ?"),
    {"role": "assistant", "content": "<think>\nask\n</think>\n<tool_call>\na\n</tool_call>"},
    {"role": "tool", "content": "2 <think>"},
]


@pytest.mark.parametrize(("tokens", "chat", "opening", "closing", "thinking"), FAMILIES.values(), ids=FAMILIES.keys())
@pytest.mark.parametrize("messages", [user("1 + 1 ?"), CHAT, LITERAL, LITERAL_LAST], ids=["one", "chat", "in", "last"])
def test_the_ids_of_a_prompt_say_what_its_messages_say(tokens, chat, opening, closing, thinking, messages) -> None:
    tokenizer = tokenizer_of(tokens, chat)
    template = resolve_template(tokenizer)
    prompt = render_prompt(tokenizer, template, messages)
    assert prompt.thinking is thinking
    assert thinking_of(tokenizer, template, prompt.ids) is thinking


@pytest.mark.parametrize(
    ("chat", "thinking"), [(QWEN3, Thinking.ABSENT), (QWEN3_WITHOUT, Thinking.CLOSED), (QWQ, Thinking.OPEN)]
)
def test_a_tool_message_may_come_last(chat: str, thinking: Thinking) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, chat)
    template = resolve_template(tokenizer)
    prompt = render_prompt(tokenizer, template, TOOL)
    assert prompt.thinking is thinking
    assert thinking_of(tokenizer, template, prompt.ids) is thinking


@pytest.mark.parametrize(
    ("tokens", "chat"), [(CHATML_TOKENS, QWEN3), (DEEPSEEK_TOKENS, DEEPSEEK_OLD)], ids=["Qwen3", "DeepSeek-R1"]
)
@pytest.mark.parametrize(
    ("prefilled", "thinking"),
    [
        ("", Thinking.ABSENT),
        ("The answer", Thinking.CLOSED),
        ("<think>\n", Thinking.OPEN),
        ("<think>\none and one make", Thinking.OPEN),
        ("<think>\n\n</think>\n\n", Thinking.CLOSED),
        ("<think>\ntwo\n</think>\n\nThe answer is", Thinking.CLOSED),
    ],
)
@pytest.mark.parametrize("messages", [user("1 + 1 ?"), CHAT, LITERAL], ids=["one", "chat", "literal"])
def test_an_answer_may_be_begun_in_the_prompt(tokens, chat, prefilled: str, thinking: Thinking, messages) -> None:
    tokenizer = tokenizer_of(tokens, chat)
    template = resolve_template(tokenizer)
    ids = template.encode(template.decode(render_prompt(tokenizer, template, messages).ids) + prefilled)
    assert thinking_of(tokenizer, template, ids) is thinking


def test_thinking_that_the_chat_template_opens_may_have_been_closed_by_the_sender() -> None:
    tokenizer = tokenizer_of(DEEPSEEK_TOKENS, DEEPSEEK)
    template = resolve_template(tokenizer)
    ids = (*render_prompt(tokenizer, template, CHAT).ids, *template.encode("two\n</think>\n\n"))
    assert thinking_of(tokenizer, template, ids) is Thinking.CLOSED


@pytest.mark.parametrize(
    ("text", "thinking"),
    [
        ("", Thinking.ABSENT),
        ("1 + 1 ?", Thinking.ABSENT),
        ("1 + 1 ? <think>", Thinking.OPEN),
        ("1 + 1 ? <think>\n", Thinking.OPEN),
        ("what is <think> ?", Thinking.ABSENT),
        ("1 + 1 ?<think>\n\n</think>\n\n", Thinking.CLOSED),
    ],
)
@pytest.mark.parametrize("chat", [None, QWEN3])
def test_without_a_turn_of_the_assistant_the_end_of_the_prompt_decides(chat, text: str, thinking: Thinking) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, chat)
    template = resolve_template(tokenizer_of(CHATML_TOKENS, QWEN3))
    assert thinking_of(tokenizer, template, template.encode(text)) is thinking


# Tools


@pytest.mark.parametrize("family", WITH_TOOLS)
@pytest.mark.parametrize("messages", [user("1 + 1 ?"), CHAT, LITERAL], ids=["one", "chat", "literal"])
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "You add."}]], ids=["plain", "system"])
def test_the_ids_of_a_prompt_say_whether_it_offers_tools(family: str, messages: list, system: list) -> None:
    tokens, chat = WITH_TOOLS[family]
    tokenizer = tokenizer_of(tokens, chat)
    template = resolve_template(tokenizer)
    other = {"type": "function", "function": {"description": "takes away", "name": "take_away", "parameters": {}}}
    for tools in ((), (ADD,), (other, ADD)):
        prompt = render_prompt(tokenizer, template, [*system, *messages], tools=tools)
        assert offers_tools(tokenizer, template, prompt.ids) == bool(tools)


def test_where_nothing_is_known_of_tools_none_are_offered() -> None:
    for tokens, chat in ((CHATML_TOKENS, None), (CHATML_TOKENS, QWEN3), (["<think>", "</think>"], LFM)):
        tokenizer = tokenizer_of(tokens, chat)
        assert not offers_tools(tokenizer, resolve_template(tokenizer), tokenizer.encode("List of tools: [{"))
