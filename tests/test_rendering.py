"""Chat messages to prompts, with chat templates of every family."""

import pytest

from elastic_reasoning.errors import TemplateError
from elastic_reasoning.rendering import render_prompt
from elastic_reasoning.template import Thinking, resolve_template
from families import CHATML, CHATML_TOKENS, FAMILIES, MAGISTRAL, MAGISTRAL_TOKENS, QWEN3, QWQ, tokenizer_of, user


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


def test_a_tokenizer_without_chat_template_takes_plain_text() -> None:
    tokenizer = tokenizer_of(["<think>", "</think>"], None)
    prompt = render_prompt(tokenizer, resolve_template(tokenizer), user("1 + 1"))
    assert tokenizer.decode(prompt.ids) == "1 + 1"
    assert prompt.thinking is Thinking.ABSENT
