"""Templates from real tokenizers, made here with the structure of each model family's."""

from functools import cache
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from elastic_reasoning.delimiter import TextDelimiter, TokenDelimiter
from elastic_reasoning.errors import TemplateError
from elastic_reasoning.template import Template, Thinking, find_delimiters, render_prompt, resolve_template

TEXT = [
    "let us think step by step about 1 + 1 = 2 . so the answer is 2 .\n",
    "<p>\na</p>\n<b>\nthink</b>\n<i>\nreason</i>\n",
    "We think. Then we answer! Why?\n\n",
]
# Qwen's rule: signs and the line ends behind them stay together, so that ">\n" becomes a token.
SPLIT = r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|[^\r\n\p{L}\p{N}]?\p{L}+|\s*[\r\n]+|\s+"

DEEPSEEK_OLD = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% else %}"
    "{% set c = m['content'] %}{% if '</think>' in c %}{% set c = c.split('</think>')[-1] %}{% endif %}"
    "{{ '<｜Assistant｜>' + c + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)
DEEPSEEK = DEEPSEEK_OLD.replace("{{ '<｜Assistant｜>' }}", "{{ '<｜Assistant｜><think>\\n' }}")
DEEPSEEK_TOKENS = ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}GENERATION{% endif %}"
)
QWEN3 = CHATML.replace(
    "GENERATION",
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}",
)
QWEN3_WITHOUT = CHATML.replace("GENERATION", "{{ '<think>\\n\\n</think>\\n\\n' }}")
QWQ = CHATML.replace("GENERATION", "{{ '<think>\\n' }}")
CHATML_TOKENS = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>"]
MAGISTRAL = (
    "{{ '[SYSTEM_PROMPT]Write your thoughts as [THINK]so[/THINK].[/SYSTEM_PROMPT]' }}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST]' + m['content'] + '[/INST]' }}{% else %}"
    "{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
)
MAGISTRAL_TOKENS = ["[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[THINK]", "[/THINK]"]
PLAIN = CHATML.replace("GENERATION", "")


@cache
def trained() -> str:
    """A byte-level BPE tokenizer of a few hundred tokens, as JSON."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXT * 20, trainer)
    return tokenizer.to_str()


def tokenizer_of(tokens: list[str], chat: str | None, *, special: bool = False, eos: str | None = "<|end|>") -> Any:
    """A byte-level BPE tokenizer with these added tokens and this chat template."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(trained()), eos_token=eos)
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=special) for token in tokens])
    tokenizer.chat_template = chat
    return tokenizer


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


FAMILIES = {
    "DeepSeek-R1, opened by the chat template": (DEEPSEEK_TOKENS, DEEPSEEK, "<think>", "</think>", Thinking.OPEN),
    "DeepSeek-R1, older": (DEEPSEEK_TOKENS, DEEPSEEK_OLD, "<think>", "</think>", Thinking.ABSENT),
    "Qwen3": (CHATML_TOKENS, QWEN3, "<think>", "</think>", Thinking.ABSENT),
    "Qwen3 told not to think": (CHATML_TOKENS, QWEN3_WITHOUT, "<think>", "</think>", Thinking.CLOSED),
    "QwQ": (CHATML_TOKENS, QWQ, "<think>", "</think>", Thinking.OPEN),
    "Magistral": (MAGISTRAL_TOKENS, MAGISTRAL, "[THINK]", "[/THINK]", Thinking.ABSENT),
    "a model that names its tokens": (
        ["<|begin_of_thought|>", "<|end_of_thought|>"],
        PLAIN,
        "<|begin_of_thought|>",
        "<|end_of_thought|>",
        Thinking.ABSENT,
    ),
}


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
        (("[TOOL_CALLS]", "[TOOL_RESULTS]"), False),
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
