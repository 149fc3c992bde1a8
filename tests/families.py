"""Real tokenizers, made here with the structure of each model family's."""

from functools import cache
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from elastic_reasoning.template import Thinking

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
