"""The miniature's tokenizer: one token a word, built from nothing.

    tokenizer = build_tokenizer()
    tokenizer.encode("c 6 +7 = 3")                   # five tokens
    tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    # "<user> a 4 b -8 = <assistant> <think>"

An operation such as `+7` is one token: written as two, it took too long to learn. Numbers of several digits, which
only the length prompts of L1 have, are a digit and continuations (`##4`), so that text comes back from its ids as
it was, but for line breaks.
"""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from elastic_reasoning.tasks.arithmetic import LETTERS, OPERANDS

USER, ASSISTANT, OPENING, CLOSING = "<user>", "<assistant>", "<think>", "</think>"
EOS, PAD, UNKNOWN = "<eos>", "<pad>", "<unk>"
SPECIAL = (PAD, EOS, UNKNOWN, USER, ASSISTANT, OPENING, CLOSING)
DIGITS = tuple("0123456789")
OPERATIONS = tuple(sign + operand for sign, operands in OPERANDS.items() for operand in operands)
THOUGHT = ("=", "hmm", "so", "wait", "check", "ok", "again", "answer")
BASELINES = ("Think", "for", "maximum", "tokens.", "Wait", "Final", "Answer:")
CONTINUED = tuple(f"##{digit}" for digit in DIGITS)
VOCABULARY = (*SPECIAL, *DIGITS, *OPERATIONS, *LETTERS, *THOUGHT, *BASELINES, *CONTINUED)

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<' + message['role'] + '> ' + message['content'] + ' ' }}"
    "{%- if message['role'] == 'assistant' -%}{{ '<eos> ' }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<assistant> <think>' }}{%- endif -%}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, with a chat template that opens thinking in the generation prompt."""
    vocabulary = {word: index for index, word in enumerate(VOCABULARY)}
    words = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, continuing_subword_prefix="##"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=[USER, ASSISTANT, OPENING, CLOSING],
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
