"""Real tokenizers, made here with the structure of each model family's."""

from functools import cache
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from elastic_reasoning.core.template import Thinking

BOS = "<｜begin▁of▁sentence｜>"
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
DEEPSEEK_V31 = (
    "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    "{% set ns = namespace(asked=false, tool=false) %}{{ bos_token }}"
    "{% for m in messages %}"
    "{% if m['role'] == 'user' %}{% set ns.asked = true %}{% set ns.tool = false %}{{ '<｜User｜>' + m['content'] }}"
    "{% elif m['role'] == 'assistant' %}{% if ns.asked %}{{ '<｜Assistant｜></think>' }}{% endif %}"
    "{% set ns.asked = false %}{% set c = m['content'] or '' %}"
    "{% if '</think>' in c %}{% set c = c.split('</think>')[-1] %}{% endif %}{{ c }}"
    "{% if m['tool_calls'] %}"
    "{{ '<｜tool▁calls▁begin｜>' + m['tool_calls'][0]['name'] + '<｜tool▁calls▁end｜>' }}{% endif %}"
    "{{ '<｜end▁of▁sentence｜>' }}"
    "{% elif m['role'] == 'tool' %}{% set ns.tool = true %}"
    "{{ '<｜tool▁output▁begin｜>' + m['content'] + '<｜tool▁output▁end｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt and ns.asked and not ns.tool %}{{ '<｜Assistant｜>' }}"
    "{% if thinking %}{{ '<think>' }}{% else %}{{ '</think>' }}{% endif %}{% endif %}"
)
"""Closes thinking unless it is asked to think; what tools say stands within the assistant's turn."""
V31_TOKENS = [
    *DEEPSEEK_TOKENS,
    *("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>"),
    *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
]
GPT_OSS = (
    "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}"
    "{{ '<|start|>system<|message|>Reasoning: ' + reasoning_effort + '<|end|>' }}"
    "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m['content'] + '<|end|>' }}"
    "{% else %}{{ '<|start|>' + m['role'] + '<|message|>' + m['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)
GPT_OSS_TOKENS = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>", "<|constrain|>"]
SEED_OSS = (
    "{% macro note() %}{% if thinking_budget == 0 %}{{ 'You have no budget. ' }}"
    "{% else %}{{ 'You have ' ~ thinking_budget ~ ' tokens. ' }}{% endif %}{% endmacro %}"
    "{% if thinking_budget is defined %}{{ bos_token + 'system\n' + note() + eos_token }}{% endif %}"
    "{% for m in messages %}{{ bos_token + m['role'] + '\n' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ bos_token + 'assistant\n' }}"
    "{% if thinking_budget == 0 %}{{ '<seed:think></seed:think>' }}{% endif %}{% endif %}"
)
SEED_TOKENS = ["<seed:bos>", "<seed:eos>", "<seed:think>", "</seed:think>"]
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


def tokenizer_of(
    tokens: list[str], chat: str | None, *, special: bool = False, eos: str | None = "<|end|>", bos: str | None = None
) -> Any:
    """A byte-level BPE tokenizer with these added tokens and this chat template."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(trained()), eos_token=eos, bos_token=bos)
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=special) for token in tokens])
    tokenizer.chat_template = chat
    return tokenizer


def adding(tokenizer: Any, form: str) -> Any:
    """A tokenizer that adds special tokens to every text."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in (BOS, "<|end|>")}
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(single=form, special_tokens=[*ids.items()])
    return tokenizer


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


FAMILIES = {
    "DeepSeek-R1, opened by the chat template": (DEEPSEEK_TOKENS, DEEPSEEK, "<think>", "</think>", Thinking.OPEN),
    "DeepSeek-R1, older": (DEEPSEEK_TOKENS, DEEPSEEK_OLD, "<think>", "</think>", Thinking.ABSENT),
    "Qwen3": (CHATML_TOKENS, QWEN3, "<think>", "</think>", Thinking.ABSENT),
    "Qwen3 told not to think": (CHATML_TOKENS, QWEN3_WITHOUT, "<think>", "</think>", Thinking.CLOSED),
    "QwQ": (CHATML_TOKENS, QWQ, "<think>", "</think>", Thinking.OPEN),
    "DeepSeek-V3.1": (V31_TOKENS, DEEPSEEK_V31, "<think>", "</think>", Thinking.CLOSED),
    "DeepSeek-V3.1 told to think": (
        V31_TOKENS,
        DEEPSEEK_V31.replace("{% set thinking = false %}", "{% set thinking = true %}"),
        "<think>",
        "</think>",
        Thinking.OPEN,
    ),
    "Seed-OSS": (
        SEED_TOKENS,
        SEED_OSS.replace("bos_token", "'<seed:bos>'"),
        "<seed:think>",
        "</seed:think>",
        Thinking.ABSENT,
    ),
    "Magistral": (MAGISTRAL_TOKENS, MAGISTRAL, "[THINK]", "[/THINK]", Thinking.ABSENT),
    "a model that names its tokens": (
        ["<|begin_of_thought|>", "<|end_of_thought|>"],
        PLAIN,
        "<|begin_of_thought|>",
        "<|end_of_thought|>",
        Thinking.ABSENT,
    ),
}

KIMI = (
    "{% if tools %}<|im_system|>tool_declare<|im_middle|>{{ tools | tojson }}<|im_end|>{% endif %}"
    "{% for m in messages %}<|im_{{ m.role }}|>{{ m.role }}<|im_middle|>{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}"
)
KIMI_TOKENS = ["<think>", "</think>"] + [
    f"<|tool_call{part}|>" for part in ("s_section_begin", "s_section_end", "_begin", "_argument_begin", "_end")
]
LFM = (
    "{% if tools %}{{ '<|im_start|>system\\nToday\\'s date: ' ~ range(1000, 9999) | random ~ '\\n\\nList of tools: ' }}"
    "{{ (tools | tojson) ~ '<|im_end|>\\n' }}{% endif %}" + PLAIN
)
LFM_TOKENS = ["<|im_start|>", "<|im_end|>", "<|tool_call_start|>", "<|tool_call_end|>", "<think>", "</think>"]
GEMMA_WITH_TOOLS = (
    "{% if tools %}{{ '<|turn>system\\n' }}{% for tool in tools %}{{ '<|tool>declaration:' + tool.function.name }}"
    "{{ '{description:' + tool.function.description + '}<tool|>' }}{% endfor %}{{ '<turn|>\\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|turn>' + m.role + '\\n' + m.content + '<turn|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\\n' }}{% endif %}"
)
GEMMA_TOKENS = ["<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>"]
QWEN_WITH_TOOLS = (
    "{% if tools %}{{ '<|im_start|>system\\n# Tools\\n\\n<tools>\\n' ~ (tools | tojson) ~ '\\n</tools>\\n\\n' }}"
    "{{ 'Call them within <tool_call></tool_call>.<|im_end|>\\n' }}{% endif %}" + PLAIN
)
WITH_TOOLS = {
    "Kimi-K2-Thinking": (KIMI_TOKENS, KIMI),
    "LFM2.5": (LFM_TOKENS, LFM),
    "Gemma 4": (GEMMA_TOKENS, GEMMA_WITH_TOOLS),
    "Qwen3": (CHATML_TOKENS, QWEN_WITH_TOOLS),
    "Hermes, in plain text": (["<|im_start|>", "<|im_end|>", "<think>", "</think>"], QWEN_WITH_TOOLS),
}
"""Chat templates that write the tools of a request in their own ways."""
ADD = {"type": "function", "function": {"name": "add", "description": "adds", "parameters": {"type": "object"}}}
