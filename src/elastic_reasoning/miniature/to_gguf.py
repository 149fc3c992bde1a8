"""The miniature, or a model trained from it, as one GGUF file: what llama.cpp serves.

    python -m elastic_reasoning.miniature.to_gguf mini mini.gguf

Weights stay in float32. Its words are written as the pieces of a Unigram vocabulary, which both llama.cpp and
transformers split as the miniature's own tokenizer does; the special tokens are control tokens. A model of another
kind is converted with llama.cpp's `convert_hf_to_gguf.py`.
"""

import json
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import EngineError, require
from elastic_reasoning.engines.loading import load_tokenizer, load_weights

WORD, CONTINUED = "▁", "##"
"""What begins a piece that begins a word, and what begins one of the miniature's that goes on with it."""


def write_gguf(model: str, out: Path) -> None:
    """Write a model.

    Args:
        model: `mini`, `mini-e1`, or the folder of a model that was trained from them.
        out: the file.

    Raises:
        EngineError: it is not there, or of another kind.
        MissingDependencyError: gguf is not installed.
    """
    gguf = require("gguf", "gguf")
    weights, tokenizer = load_weights(model, "float32"), load_tokenizer(model)
    words = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    if weights.config.model_type != "qwen3" or words["type"] != "WordPiece":
        raise EngineError(f"model {model!r} is no miniature: convert it with llama.cpp's convert_hf_to_gguf.py")
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.QWEN3])
    _add_shape(writer, weights.config)
    _add_tokenizer(writer, gguf.TokenType, tokenizer, weights.config.vocab_size)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, weights.config.num_hidden_layers)
    for name, tensor in weights.state_dict().items():
        if name != "lm_head.weight" or not weights.config.tie_word_embeddings:
            writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: Any, config: Any) -> None:
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_file_type(0)  # all weights in float32


def _add_tokenizer(writer: Any, kind: Any, tokenizer: Any, num_tokens: int) -> None:
    special = set(tokenizer.all_special_ids)
    texts = tokenizer.convert_ids_to_tokens(range(num_tokens))
    pieces = [text if number in special else _piece(text) for number, text in enumerate(texts)]
    writer.add_tokenizer_model("t5")  # llama.cpp's name for Unigram
    writer.add_token_list(pieces)
    writer.add_token_scores([-1.0] * num_tokens)  # the fewest pieces win
    writer.add_token_types([kind.CONTROL if number in special else kind.NORMAL for number in range(num_tokens)])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_unk_token_id(tokenizer.unk_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_remove_extra_whitespaces(True)
    writer.add_chat_template(tokenizer.chat_template)


def _piece(text: str) -> str:
    return text.removeprefix(CONTINUED) if text.startswith(CONTINUED) else WORD + text


def main() -> None:
    """Write a model from the command line."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m elastic_reasoning.miniature.to_gguf", description=__doc__)
    parser.add_argument("model", help="mini, mini-e1, or a folder")
    parser.add_argument("out", type=Path, help="the file to write")
    arguments = parser.parse_args()
    write_gguf(arguments.model, arguments.out)


if __name__ == "__main__":
    main()
