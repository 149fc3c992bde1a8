"""Templates from tokenizers of every family."""

from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.delimiter import TextDelimiter, TokenDelimiter
from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.template import Template, Thinking, find_delimiters, resolve_template
from families import CHATML_TOKENS, FAMILIES, PLAIN, QWEN3, QWQ, tokenizer_of, user


@pytest.mark.parametrize(("tokens", "chat", "opening", "closing", "thinking"), FAMILIES.values(), ids=FAMILIES.keys())
@pytest.mark.parametrize("special", [False, True])
def test_delimiters_come_from_the_tokenizer(tokens, chat, opening, closing, thinking, special) -> None:
    tokenizer = tokenizer_of(tokens, chat, special=special)
    template = resolve_template(tokenizer)
    assert (template.opening.text, template.closing.text) == (opening, closing)
    for delimiter in (template.opening, template.closing):
        assert isinstance(delimiter, TokenDelimiter)
        assert delimiter.ids == (tokenizer.convert_tokens_to_ids(delimiter.text),)
    assert template.eos == {tokenizer.eos_token_id}
    prompt = render_prompt(tokenizer, template, user("1 + 1 ?"))
    assert prompt.thinking is thinking
    rendered = tokenizer.apply_chat_template(user("1 + 1 ?"), add_generation_prompt=True, tokenize=False)
    assert template.decode(prompt.ids) == rendered


# Delimiters of plain text


def plain(chat: str = QWQ) -> tuple[Any, Template]:
    tokenizer = tokenizer_of(["<|im_start|>", "<|im_end|>"], chat)
    return tokenizer, resolve_template(tokenizer, opening="<think>", closing="</think>")


def test_a_delimiter_of_plain_text_is_matched_on_text() -> None:
    tokenizer, template = plain()
    assert isinstance(template.closing, TextDelimiter)
    assert len(template.closing.ids) > 1
    assert template.decode(template.closing.ids) == "</think>"
    assert render_prompt(tokenizer, template, user("what is <think> ?")).thinking is Thinking.OPEN


@pytest.mark.parametrize(
    "text", ["</think>", "</think>\n", "</think>\n\n", "so </think>", "so\n</think>!", "</</think>"]
)
def test_a_delimiter_of_plain_text_is_found_in_every_spelling(text: str) -> None:
    _, template = plain()
    ids = template.encode(text)
    hits = [n for n in range(1, len(ids) + 1) if template.closing.ends(ids[:n])]
    assert len(hits) == 1
    assert ids[hits[0] - 1] in template.closing.watch
    assert "</think>" in template.decode(ids[: hits[0]])
    assert "</think>" not in template.decode(ids[: hits[0] - 1])


def test_a_token_that_holds_the_end_of_the_delimiter_and_a_line_end_is_watched() -> None:
    _, template = plain()
    assert template.encode("</think>\n")[-1] not in template.closing.ids
    assert template.decode(template.encode("</think>\n")[-1:]) == ">\n"


def test_half_a_delimiter_of_plain_text_is_completed() -> None:
    _, template = plain()
    for cut in range(1, len("</think>")):
        begun, rest = template.closing.begun(template.encode("so " + "</think>"[:cut]))
        assert begun > 0
        assert template.decode(template.encode("so " + "</think>"[:cut]) + rest) == "so </think>"


def test_words_that_are_a_template_of_plain_text_resolve_from_the_chat_template_alone() -> None:
    template = resolve_template(tokenizer_of(["<|im_start|>", "<|im_end|>"], QWEN3))
    assert template.closing.text == "</think>"
    assert isinstance(template.closing, TextDelimiter)


def test_a_vocabulary_of_words_does_for_added_delimiters() -> None:
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "one": 1, "two": 2, ".": 3, "<eos>": 4}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>", unk_token="[UNK]")
    with pytest.raises(TemplateError, match=r"delimiter '<x>' reads .* once tokenised: pass them as opening="):
        resolve_template(tokenizer, opening="<x>", closing="</x>")
    tokenizer.add_tokens(["<think>", "</think>"])
    template = resolve_template(tokenizer)
    assert template.boundaries == {3}
    assert template.eos == {4}


# Tool calls


@pytest.mark.parametrize(
    ("pair", "found"),
    [
        (("<tool_call>", "</tool_call>"), True),
        (("<minimax:tool_call>", "</minimax:tool_call>"), True),
        (("<|tool_call|>", "<|/tool_call|>"), True),
        (("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"), True),
        (("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"), True),
        (("<tool_response>", "</tool_response>"), False),
    ],
)
def test_a_tool_calls_delimiters_come_from_the_added_tokens(pair: tuple[str, str], found: bool) -> None:
    tokenizer = tokenizer_of(["<think>", "</think>", *pair], QWEN3)
    tools = resolve_template(tokenizer).tools
    assert (tools is not None) == found
    if tools:
        opening, closing = tokenizer.convert_tokens_to_ids(list(pair))
        assert (tools.opening.ids, tools.closing.ids) == ((opening,), (closing,))
        assert tools.offered([1, opening, 2])
        assert not tools.offered([1, closing, 2])


def test_of_several_tool_calls_that_in_the_chat_template_is_taken() -> None:
    tokens = ["<think>", "</think>", "<tool_calls>", "</tool_calls>", "<tool_call>", "</tool_call>"]
    for name in ("tool_call", "tool_calls"):
        tools = resolve_template(tokenizer_of(tokens, QWEN3 + "{# <" + name + "> #}")).tools
        assert tools
        assert tools.closing.text == f"</{name}>"


# Overrides and refusals


def test_explicit_delimiters_go_before_what_would_be_found() -> None:
    tokenizer = tokenizer_of([*CHATML_TOKENS, "<plan>", "</plan>"], QWEN3)
    template = resolve_template(tokenizer, opening="<plan>", closing="</plan>")
    assert (template.opening.text, template.closing.text) == ("<plan>", "</plan>")
    assert isinstance(template.closing, TokenDelimiter)


def test_delimiters_are_found_without_an_end_of_sequence() -> None:
    opening, closing = find_delimiters(tokenizer_of(CHATML_TOKENS, QWEN3, eos=None))
    assert (opening.text, closing.text) == ("<think>", "</think>")


@pytest.mark.parametrize("given", [{"opening": "<a>"}, {"closing": "</a>"}, {"opening": "", "closing": "</a>"}])
def test_one_delimiter_alone_is_refused(given: dict) -> None:
    with pytest.raises(TemplateError, match="both delimiters must be given"):
        resolve_template(tokenizer_of(CHATML_TOKENS, QWEN3), **given)


def test_nothing_found_says_what_was_looked_for_and_how_to_pass_it() -> None:
    with pytest.raises(TemplateError) as caught:
        resolve_template(tokenizer_of(["<|im_start|>"], PLAIN))
    for part in ("<think> </think>", "[THINK]", "2 added tokens", "chat template", "opening=", "--opening"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_closing_without_its_opening_is_not_a_pair() -> None:
    with pytest.raises(TemplateError, match="no thinking delimiters"):
        resolve_template(tokenizer_of(["</think>"], PLAIN))


def test_several_pairs_are_named() -> None:
    tokenizer = tokenizer_of(["<think>", "</think>", "<reasoning>", "</reasoning>"], PLAIN)
    with pytest.raises(TemplateError, match=r"several.*<think>.*<reasoning>.*pass them as opening="):
        resolve_template(tokenizer)


def test_of_several_pairs_that_in_the_chat_template_is_taken() -> None:
    tokenizer = tokenizer_of([*CHATML_TOKENS, "<reasoning>", "</reasoning>"], QWEN3)
    assert resolve_template(tokenizer).closing.text == "</think>"


def test_end_of_sequence_ids_are_collected_and_needed() -> None:
    with_eos = tokenizer_of(CHATML_TOKENS, QWEN3)
    assert resolve_template(with_eos, eos_ids=[5, 6]).eos == {5, 6, with_eos.eos_token_id}
    without = tokenizer_of(CHATML_TOKENS, QWEN3, eos=None)
    with pytest.raises(TemplateError, match=r"set tokenizer\.eos_token or pass eos_ids"):
        resolve_template(without)
    assert resolve_template(without, eos_ids=[5]).eos == {5}


def test_boundaries_are_ends_of_lines_and_sentences() -> None:
    _, template = plain()
    (newline,), (stop,) = template.encode("\n"), template.encode(".")
    assert {newline, stop} <= template.boundaries
    assert not set(template.encode("think 1 <")) & template.boundaries
    assert template.encode("</think>\n")[-1] in template.boundaries
