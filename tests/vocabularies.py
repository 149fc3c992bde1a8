"""Tokenizers of every kind that write plain-text delimiters in their own ways, made here.

Byte-level; SentencePiece with byte fallback, in its older form (a normalizer puts the blank in front) and as Metaspace
with each way to put it there; Unigram; and a vocabulary of whole words.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from families import tokenizer_of

LETTERS = "abcdefghijklmnopqrstuvwxyzWTFA<>/.:,1"
MERGES = [
    "▁ </",
    "< /",
    "t h",
    "i n",
    "in k",
    "th ink",
    "think >",
    "▁ think",
    "s o",
    "▁ so",
    "▁ <",
    "> .",
    "W a",
    "i t",
]
MERGES += ["Wa it", "▁ Wait"]


@cache
def _pieces() -> tuple[dict[str, int], list[tuple[str, str]]]:
    merges = [(left, right) for left, right in (merge.split() for merge in MERGES)]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *LETTERS]
    names += [left + right for left, right in merges]
    return {name: index for index, name in enumerate(dict.fromkeys(names))}, merges


def _bpe() -> Tokenizer:
    vocabulary, merges = _pieces()
    return Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))


def _older() -> Tokenizer:
    tokenizer = _bpe()
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    strip = decoders.Strip(" ", 1, 0)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    return tokenizer


def _metaspace(scheme: str, model: Callable[[], Tokenizer] = _bpe) -> Tokenizer:
    tokenizer = model()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=model is not _bpe)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Metaspace(prepend_scheme=scheme), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer


def _unigram() -> Tokenizer:
    names = _pieces()[0]
    scored = [(name, -10.0 + len(name) if len(name) < 9 else -10.0) for name in names]
    return Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=True))


def _words() -> Tokenizer:
    names = ["<unk>", "</s>", "<think>", "</think>", "so", "one", ".", "<", "Wait"]
    tokenizer = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


MADE: dict[str, Callable[[], Tokenizer]] = {
    "older": _older,
    "always": lambda: _metaspace("always"),
    "first": lambda: _metaspace("first"),
    "never": lambda: _metaspace("never"),
    "unigram": lambda: _metaspace("always", _unigram),
    "words": _words,
}


def made(kind: str) -> Any:
    """A new tokenizer of this kind, with no delimiter among its tokens but in a vocabulary of words."""
    if kind == "byte-level":
        return tokenizer_of(["<|im_start|>", "<|im_end|>"], None)
    return PreTrainedTokenizerFast(tokenizer_object=MADE[kind](), eos_token="</s>", unk_token="<unk>")


vocabulary = cache(made)


EXACT = ("byte-level", *(kind for kind in MADE if kind != "words"))
"""Kinds that can write any text."""
