"""Chat messages to prompts, with chat templates of every family."""

from typing import Any

import pytest

from elastic_reasoning.chat.rendering import Renderer, render_prompt
from elastic_reasoning.chat.turn import thinking_of
from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.template import Thinking, resolve_template
from families import (
    ADD,
    BOS,
    CHATML,
    CHATML_TOKENS,
    DEEPSEEK_OLD,
    DEEPSEEK_TOKENS,
    DEEPSEEK_V31,
    FAMILIES,
    GPT_OSS,
    GPT_OSS_TOKENS,
    MAGISTRAL,
    MAGISTRAL_TOKENS,
    PLAIN,
    QWEN3,
    QWQ,
    SEED_OSS,
    SEED_TOKENS,
    V31_TOKENS,
    WITH_TOOLS,
    adding,
    tokenizer_of,
    user,
)

ABSENT = Thinking.ABSENT
ASKED_BEFORE = [*user("0 ?"), {"role": "assistant", "content": "<think>\na\n</think>\n\nb"}, *user("1 </think> ?")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", ["is {0} closed by {1} ?", "{0}", "{0} {1}", "{1} {0}", " why {0} \n"])
def test_rule_6_delimiters_in_the_users_text_do_not_count(family: str, text: str) -> None:
    tokens, chat, opening, closing, thinking = FAMILIES[family]
    tokenizer = tokenizer_of(tokens, chat)
    template = resolve_template(tokenizer)
    assert render_prompt(tokenizer, template, user(text.format(opening, closing))).thinking is thinking


def test_rule_6_text_that_the_chat_template_trims_does_not_count_either() -> None:
    chat = MAGISTRAL.replace("m['content'] + '[/INST]'", "(m['content'] | trim) + '[/INST]'")
    tokenizer = tokenizer_of(MAGISTRAL_TOKENS, chat)
    prompt = render_prompt(tokenizer, resolve_template(tokenizer), user(" what does [THINK] mean ? "))
    assert prompt.thinking is Thinking.ABSENT


def test_an_empty_question_is_rendered() -> None:
    tokenizer = tokenizer_of(MAGISTRAL_TOKENS, MAGISTRAL)
    assert render_prompt(tokenizer, resolve_template(tokenizer), user("")).thinking is Thinking.ABSENT


ALWAYS_OPEN = QWQ.replace("{% if add_generation_prompt %}", "").removesuffix("{% endif %}")


@pytest.mark.parametrize("text", ["1 + 1 ?", "", "think", "<think>", "what is <think> \n", "assistant\n<think>\n"])
@pytest.mark.parametrize("trim", [" | trim", " | replace('<think>', '')", " | upper", ""])
def test_an_assistants_turn_that_is_opened_unasked_is_read_too(text: str, trim: str) -> None:
    """Also where the user writes what the chat template does, and where that is not written as it is."""
    assert "add_generation_prompt" not in ALWAYS_OPEN
    tokenizer = tokenizer_of(CHATML_TOKENS, ALWAYS_OPEN.replace("m['content']", f"(m['content']{trim})"))
    assert render_prompt(tokenizer, resolve_template(tokenizer), user(text)).thinking is Thinking.OPEN


def test_a_chat_template_may_look_into_the_message() -> None:
    said = "{% if '/no_think' in messages[-1]['content'] %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    tokenizer = tokenizer_of(CHATML_TOKENS, CHATML.replace("GENERATION", said))
    template = resolve_template(tokenizer)
    assert render_prompt(tokenizer, template, user("1 ?")).thinking is Thinking.ABSENT
    assert render_prompt(tokenizer, template, user("1 ? /no_think")).thinking is Thinking.CLOSED


def test_a_message_may_be_made_of_parts() -> None:
    parts = CHATML.replace("m['content']", "(m['content'] | map(attribute='text') | join)")
    tokenizer = tokenizer_of(CHATML_TOKENS, parts.replace("GENERATION", "{{ '<think>\\n' }}"))
    turns = [{"role": "user", "content": [{"type": "text", "text": "what is </think> ?"}]}]
    prompt = render_prompt(tokenizer, resolve_template(tokenizer), turns)
    assert prompt.thinking is Thinking.OPEN
    assert "what is </think> ?<|im_end|>" in tokenizer.decode(prompt.ids)


def test_messages_that_a_chat_template_refuses_are_an_error_of_one_line() -> None:
    strict = "{% if messages[0]['role'] != 'user' %}{{ raise_exception('roles\\nmust begin with user') }}{% endif %}"
    tokenizer = tokenizer_of(CHATML_TOKENS, strict + QWEN3)
    template = resolve_template(tokenizer)
    assert render_prompt(tokenizer, template, user("1 ?")).ids
    with pytest.raises(TemplateError, match=r"refuses the messages: roles must begin with user$"):
        render_prompt(tokenizer, template, [{"role": "system", "content": "be brief"}, *user("1 ?")])


def test_a_last_message_that_is_not_written_is_an_error() -> None:
    tokenizer = tokenizer_of(MAGISTRAL_TOKENS, MAGISTRAL.replace("{% else %}", "{% elif m['role'] == 'assistant' %}"))
    with pytest.raises(TemplateError, match=r"last message says \(role 'tool'\)"):
        render_prompt(tokenizer, resolve_template(tokenizer), [*user("1 ?"), {"role": "tool", "content": "2"}])


def test_rule_14_thinking_of_earlier_turns_does_not_count() -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, QWEN3)
    turns = [*user("1 ?"), {"role": "assistant", "content": "<think>\na"}, *user("2 ?")]
    assert render_prompt(tokenizer, resolve_template(tokenizer), turns).thinking is Thinking.ABSENT


# Arguments of chat templates

HYBRIDS: dict[str, tuple[list[str], str, dict[str, Any], Thinking, dict[str, Any], Thinking]] = {
    "DeepSeek-V3.1": (V31_TOKENS, DEEPSEEK_V31, {}, Thinking.CLOSED, {"thinking": True}, Thinking.OPEN),
    "Qwen3": (CHATML_TOKENS, QWEN3, {}, Thinking.ABSENT, {"enable_thinking": False}, Thinking.CLOSED),
    "Seed-OSS": (SEED_TOKENS, SEED_OSS, {"thinking_budget": 512}, ABSENT, {"thinking_budget": 0}, Thinking.CLOSED),
    "gpt-oss": (GPT_OSS_TOKENS, GPT_OSS, {}, Thinking.ABSENT, {"reasoning_effort": "high"}, Thinking.ABSENT),
}


@pytest.mark.parametrize(("tokens", "chat", "one", "state", "other", "other_state"), HYBRIDS.values(), ids=HYBRIDS)
def test_arguments_of_the_chat_template_are_passed_on(tokens, chat, one, state, other, other_state) -> None:
    tokenizer = tokenizer_of(tokens, chat, bos=BOS)
    template = resolve_template(tokenizer)
    for given, expected in ((one, state), (other, other_state)):
        prompt = render_prompt(tokenizer, template, user("1 ?"), given)
        assert prompt.thinking is expected
        text = tokenizer.apply_chat_template(user("1 ?"), add_generation_prompt=True, tokenize=False, **given)
        assert tokenizer.decode(prompt.ids) == text


@pytest.mark.parametrize("name", ["enable_thinkin", "thinking", "messages", "eos_token", "add_generation_prompt"])
def test_an_argument_that_the_chat_template_does_not_read_is_refused(name: str) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, QWEN3)
    with pytest.raises(TemplateError, match=f"unknown argument of the chat template.*{name!r}.*enable_thinking"):
        Renderer(tokenizer, resolve_template(tokenizer), {name: False})


def test_a_chat_template_without_arguments_says_so() -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, QWQ)
    renderer = Renderer(tokenizer, resolve_template(tokenizer))
    assert renderer.arguments == ()
    with pytest.raises(TemplateError, match="'enable_thinking': the chat template takes none"):
        Renderer(tokenizer, resolve_template(tokenizer), {"enable_thinking": False})


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x"])
def test_an_argument_that_is_no_json_is_refused(value: object) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, QWEN3)
    with pytest.raises(TemplateError, match="must be plain JSON"):
        render_prompt(tokenizer, resolve_template(tokenizer), user("1 ?"), {"enable_thinking": value})


def test_a_chat_template_that_closes_thinking_is_said_aloud() -> None:
    tokenizer = tokenizer_of(V31_TOKENS, DEEPSEEK_V31, bos=BOS)
    template = resolve_template(tokenizer)
    note = Renderer(tokenizer, template).note
    assert "CLOSES THINKING: the thinking budget t HAS NO EFFECT; it takes chat_template_kwargs thinking" in note
    assert Renderer(tokenizer, template, {"thinking": True}).note == ""
    assert "\n" not in note


# The assistant's turn

ASKED = [
    *user("1 + 1 ?"),
    {"role": "assistant", "content": None, "tool_calls": [{"name": "add"}]},
]


def tool(content: str) -> dict[str, str]:
    return {"role": "tool", "content": content}


@pytest.mark.parametrize(
    "content", ["2", "2 <think>", "</think>", "<think>", "a </think> b <think>", "<think></think>"]
)
def test_what_a_tool_says_does_not_open_thinking_within_the_assistants_turn(content: str) -> None:
    tokenizer = tokenizer_of(V31_TOKENS, DEEPSEEK_V31, bos=BOS)
    template = resolve_template(tokenizer)
    prompt = render_prompt(tokenizer, template, [*ASKED, tool(content)])
    assert prompt.thinking is Thinking.CLOSED
    assert tokenizer.decode(prompt.ids).endswith(f"<｜tool▁output▁begin｜>{content}<｜tool▁output▁end｜>")
    assert thinking_of(tokenizer, template, prompt.ids) is Thinking.CLOSED


@pytest.mark.parametrize("content", ["2", "2 <think>", "</think>"])
def test_two_tools_may_answer_before_a_turn_that_the_chat_template_begins_anew(content: str) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, QWQ.replace("m['content']", "(m['content'] or '')"))
    template = resolve_template(tokenizer)
    prompt = render_prompt(tokenizer, template, [*ASKED, tool(content), tool(content)])
    assert prompt.thinking is thinking_of(tokenizer, template, prompt.ids) is Thinking.OPEN


PREFILLS = {
    "The answer is": Thinking.CLOSED,
    "<think>\nI see": Thinking.OPEN,
    "<think>\nI see\n</think>\n\nThe answer": Thinking.CLOSED,
    "say <think> so": Thinking.OPEN,
    " so ": Thinking.CLOSED,
}


@pytest.mark.parametrize(("words", "state"), PREFILLS.items())
@pytest.mark.parametrize("chat", [QWEN3, QWQ, ALWAYS_OPEN, DEEPSEEK_OLD], ids=["Qwen3", "QwQ", "always", "DeepSeek"])
@pytest.mark.parametrize("before", [user("1 <think> ?"), ASKED_BEFORE], ids=["one", "chat"])
def test_a_prefilled_answer_goes_on(words: str, state: Thinking, chat: str, before: list) -> None:
    tokenizer = tokenizer_of([*CHATML_TOKENS, *DEEPSEEK_TOKENS[:2]], chat.replace("split('</think>')[-1]", "upper()"))
    template = resolve_template(tokenizer)
    prompt = render_prompt(tokenizer, template, [*before, {"role": "assistant", "content": words}])
    written = words.upper() if chat == DEEPSEEK_OLD and "</think>" in words else words
    assert tokenizer.decode(prompt.ids).endswith(written)
    if written == words:
        assert prompt.thinking is state
        assert thinking_of(tokenizer, template, prompt.ids) is state


@pytest.mark.parametrize("given", [{}, {"thinking": True}])
def test_a_prefilled_answer_goes_on_where_the_chat_template_has_closed_thinking(given: dict[str, bool]) -> None:
    tokenizer = tokenizer_of(V31_TOKENS, DEEPSEEK_V31, bos=BOS)
    template = resolve_template(tokenizer)
    messages = [*user("1 + 1 ?"), {"role": "assistant", "content": "The answer is "}]
    prompt = render_prompt(tokenizer, template, messages, given)
    assert tokenizer.decode(prompt.ids).endswith("<｜User｜>1 + 1 ?<｜Assistant｜></think>The answer is ")
    assert prompt.thinking is thinking_of(tokenizer, template, prompt.ids) is Thinking.CLOSED


def test_a_prefilled_answer_that_is_not_written_is_an_error() -> None:
    chat = CHATML.replace("m['content']", "('' if m['role'] == 'assistant' else m['content'])")
    tokenizer = tokenizer_of(CHATML_TOKENS, chat.replace("GENERATION", ""))
    with pytest.raises(TemplateError, match=r"last message says \(role 'assistant'\)"):
        render_prompt(tokenizer, resolve_template(tokenizer), [*user("1 ?"), {"role": "assistant", "content": "so"}])


def test_a_prefilled_answer_may_be_trimmed() -> None:
    chat = CHATML.replace("m['content']", "(m['content'] | trim)").replace("GENERATION", "")
    tokenizer = tokenizer_of(CHATML_TOKENS, chat)
    messages = [*user("1 ?"), {"role": "assistant", "content": " The answer "}]
    prompt = render_prompt(tokenizer, resolve_template(tokenizer), messages)
    assert tokenizer.decode(prompt.ids).endswith("<|im_start|>assistant\nThe answer")


# One rendering

LOOKS = {
    "at its end": "messages[-1]['content'].endswith('/no_think')",
    "at its beginning": "messages[-1]['content'].startswith('1 ?')",
    "at its length": "messages[-1]['content'] | length == 13",
    "at all of it": "messages[-1]['content'] == '1 ? /no_think'",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("asked_for", [True, False], ids=["generation prompt", "always"])
def test_the_state_is_read_from_the_rendering_that_is_sent(look: str, asked_for: bool) -> None:
    said = f"{{% if {look} %}}{{{{ '<think>\\n\\n</think>\\n\\n' }}}}{{% else %}}{{{{ '<think>' }}}}{{% endif %}}"
    chat = CHATML.replace("GENERATION", said)
    if not asked_for:
        chat = chat.replace("{% if add_generation_prompt %}", "").removesuffix("{% endif %}")
    tokenizer = tokenizer_of(CHATML_TOKENS, chat)
    template = resolve_template(tokenizer)
    for text, state in (("1 ? /no_think", Thinking.CLOSED), ("2 ? /no_think.", Thinking.OPEN)):
        prompt = render_prompt(tokenizer, template, user(text))
        assert (prompt.thinking is Thinking.CLOSED) == tokenizer.decode(prompt.ids).endswith("</think>\n\n")
        assert prompt.thinking is state


def test_a_template_may_end_otherwise_where_nothing_is_to_be_generated() -> None:
    chat = CHATML.replace("GENERATION", "{{ '<think>' }}{% else %}{{ '<|end|>' }}")
    tokenizer = tokenizer_of(CHATML_TOKENS, chat)
    assert render_prompt(tokenizer, resolve_template(tokenizer), user("<think> ?")).thinking is Thinking.OPEN


# Without a chat template


def test_without_a_chat_template_nothing_is_sent_but_plain_text_that_was_asked_for() -> None:
    tokenizer = tokenizer_of(["<think>", "</think>"], None)
    template = resolve_template(tokenizer)
    with pytest.raises(TemplateError, match=r"no chat template.*chat_template\.json.*--apply_chat_template false"):
        render_prompt(tokenizer, template, user("1 + 1"))
    prompt = render_prompt(tokenizer, template, [*user("1 + 1"), *user("so")], apply_chat_template=False)
    assert (tokenizer.decode(prompt.ids), prompt.thinking) == ("1 + 1\nso", Thinking.ABSENT)
    with pytest.raises(TemplateError, match="mean nothing to plain text"):
        Renderer(tokenizer, template, {"enable_thinking": True}, apply_chat_template=False)
    assert "plain text" in Renderer(tokenizer, template, apply_chat_template=False).note
    parts = [{"role": "user", "content": [{"type": "text", "text": "1 +"}, {"type": "text", "text": " 2"}]}]
    assert tokenizer.decode(render_prompt(tokenizer, template, parts, apply_chat_template=False).ids) == "1 + 2"


def test_of_several_chat_templates_the_default_is_taken() -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, None)
    tokenizer.chat_template = {"default": QWQ, "rag": PLAIN}
    template = resolve_template(tokenizer)
    assert render_prompt(tokenizer, template, user("1 ?")).thinking is Thinking.OPEN
    tokenizer.chat_template = {"tool_use": QWQ, "rag": PLAIN}
    with pytest.raises(TemplateError, match="rag, tool_use: none of them is the default"):
        render_prompt(tokenizer, template, user("1 ?"))


# The beginning of a sequence


@pytest.mark.parametrize(
    ("form", "text", "written"),
    [
        ("$A", "1 ?", "1 ?"),
        (f"{BOS} $A", "1 ?", f"{BOS}1 ?"),
        (f"{BOS} $A", f"{BOS}1 ?", f"{BOS}1 ?"),
        (f"{BOS} $A <|end|>", "1 ?", f"{BOS}1 ?"),
    ],
)
def test_the_tokenizer_decides_what_plain_text_begins_with(form: str, text: str, written: str) -> None:
    tokenizer = adding(tokenizer_of([*CHATML_TOKENS, BOS], QWEN3, bos=BOS), form)
    prompt = render_prompt(tokenizer, resolve_template(tokenizer), user(text), apply_chat_template=False)
    assert tokenizer.decode(prompt.ids) == written


def test_the_chat_template_decides_what_its_text_begins_with() -> None:
    for chat, begin in ((QWEN3, "<|im_start|>"), ("{{ bos_token }}" + QWEN3, f"{BOS}<|im_start|>")):
        tokenizer = adding(tokenizer_of([*CHATML_TOKENS, BOS], chat, bos=BOS), f"{BOS} $A")
        prompt = render_prompt(tokenizer, resolve_template(tokenizer), user("1 ?"))
        assert tokenizer.decode(prompt.ids).startswith(begin)


# Templates that fail

FAILING = {
    "{{ 1/0 }}": "fails: ZeroDivisionError: division by zero",
    "{% for i in range(10**9) %}{% endfor %}": "fails: OverflowError",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}": "fails: RecursionError",
    "{{ messages.x.y }}": "fails: UndefinedError",
    "{{ 'a' * 10**10 }}": "fails: MemoryError",
    "{{ ''.__class__.__mro__ }}": "fails: SecurityError",
    "{{ 'a' + 1 }}": "fails: TypeError",
    "{% if %}": "fails: TemplateSyntaxError.*line 1",
    "{{ raise_exception('no\\n\x1b[2J\x9b') }}": r"refuses the messages: no \\x1b\[2J\\x9b",
    "{{ raise_exception('a' * 10000) }}": r"refuses the messages: a{200,297}\.\.\.$",
    "{{ messages[0]['content'] }}\ud800": "half a character",
    "{% for i in range(99999) %}{{ 'x' * 9999 }}{% endfor %}": "writes too much",
}


@pytest.mark.parametrize(("chat", "message"), FAILING.items(), ids=map(ascii, FAILING))
def test_whatever_a_chat_template_does_is_an_error_of_one_line(chat: str, message: str) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, chat)
    with pytest.raises(TemplateError, match=message) as caught:
        render_prompt(tokenizer, resolve_template(tokenizer), user("1 ?"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["half \ud83d", "\udcff"])
def test_half_a_character_in_a_message_is_an_error_of_one_line(text: str) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, QWEN3)
    with pytest.raises(TemplateError, match="holds half a character"):
        render_prompt(tokenizer, resolve_template(tokenizer), user(text))


# Tools


@pytest.mark.parametrize("family", WITH_TOOLS)
def test_a_prompt_offers_the_tools_that_it_is_rendered_with(family: str) -> None:
    tokens, chat = WITH_TOOLS[family]
    tokenizer = tokenizer_of(tokens, chat)
    template = resolve_template(tokenizer)
    without, having = (render_prompt(tokenizer, template, user("1 + 1 ?"), tools=tools) for tools in ((), (ADD,)))
    assert (without.tools, having.tools) == (False, True)
    assert template.tools_of(without) is None
    assert template.tools_of(having) is template.tools is not None
    assert "add" in template.decode(having.ids)
    assert without.thinking is having.thinking


@pytest.mark.parametrize("apply_chat_template", [True, False])
def test_tools_that_no_chat_template_writes_are_refused(apply_chat_template: bool) -> None:
    tokenizer = tokenizer_of(CHATML_TOKENS, QWEN3)
    with pytest.raises(TemplateError, match="tools: the chat template writes none"):
        render_prompt(
            tokenizer,
            resolve_template(tokenizer),
            user("1 ?"),
            tools=[ADD],
            apply_chat_template=apply_chat_template,
        )
