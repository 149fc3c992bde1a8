"""A tokenizer and a chat template of the structure that gpt-oss has, and what a model writes in that format."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.template import resolve_template

MARKERS = [
    "<|return|>",
    "<|endoftext|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
]
CHAT = """
{%- macro put(who, text) %}<|start|>{{ who }}<|message|>{{ text }}<|end|>{% endmacro -%}
{{- put('system', 'You answer.\n\nReasoning: medium\n\n# Valid channels: analysis, commentary, final.') }}
{%- if tools %}{{- put('developer', '# Tools\n\nnamespace functions {' ~ tools | tojson ~ '}') }}{% endif %}
{%- for m in messages %}
{%- if m.role == 'assistant' and m.tool_calls %}
{{- '<|start|>assistant to=functions.' ~ m.tool_calls[0].name ~ '<|channel|>commentary json<|message|>' }}
{{- m.tool_calls[0].arguments ~ '<|call|>' }}
{%- elif m.role == 'assistant' %}{{- put('assistant<|channel|>final', m.content) }}
{%- elif m.role == 'tool' %}
{{- put('functions.' ~ m.name ~ ' to=assistant<|channel|>commentary', m.content | tojson) }}
{%- else %}{{- put(m.role, m.content) }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|start|>assistant{% endif %}"""
WORDS = "assistant analysis final commentary to=functions.add json so we add 1 and 2 . The sum is 3 ! user"


@cache
def plain_tokenizer() -> str:
    """A byte-level BPE tokenizer that knows only a few pairs of letters, so that words have several spellings."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet) + 60, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([WORDS] * 5, trainer)
    return tokenizer.to_str()


def tokenizer_of(chat: str = CHAT, markers: Sequence[str] = MARKERS, eos: str | None = "<|return|>") -> Any:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(plain_tokenizer()), eos_token=eos)
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=True) for token in markers])
    tokenizer.chat_template = chat
    return tokenizer


TOKENIZER = tokenizer_of()
END_OF_TEXT = TOKENIZER.convert_tokens_to_ids("<|endoftext|>")
TEMPLATE = resolve_template(TOKENIZER, eos_ids=[END_OF_TEXT])
PROMPT = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": "1 + 2 ?"}])
FINAL = "<|end|><|start|>assistant<|channel|>final<|message|>"
ANALYSIS = "<|end|><|start|>assistant<|channel|>analysis<|message|>"
CALL = "<|end|><|start|>assistant<|channel|>commentary to=functions.add <|constrain|>json<|message|>{1, 2}"
CALL_BY_ROLE = "<|end|><|start|>assistant to=functions.add<|channel|>commentary json<|message|>{1, 2}"
PYTHON = "<|end|><|start|>assistant<|channel|>analysis to=python code<|message|>1 + 2"
PREAMBLE = "<|end|><|start|>assistant<|channel|>commentary<|message|>I will add."
ANSWER = "The sum is 3!<|return|>"
