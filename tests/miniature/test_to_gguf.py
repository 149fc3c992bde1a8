from pathlib import Path

import gguf
import pytest

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.loading import load_tokenizer
from elastic_reasoning.miniature.to_gguf import write_gguf
from tiny import build


def test_special_tokens_are_control_tokens_and_words_are_pieces(tmp_path: Path) -> None:
    write_gguf("mini", tmp_path / "mini.gguf")
    fields, tokenizer = gguf.GGUFReader(tmp_path / "mini.gguf").fields, load_tokenizer("mini")
    tokens, types = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type"))
    control = {number for number, kind in enumerate(types) if kind == gguf.TokenType.CONTROL}
    assert control == set(tokenizer.all_special_ids)
    assert tokens[tokenizer.convert_tokens_to_ids("so")] == "▁so"
    assert tokens[tokenizer.convert_tokens_to_ids("##4")] == "4"
    assert fields["tokenizer.ggml.eos_token_id"].contents() == tokenizer.eos_token_id


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    build("llama").save_pretrained(tmp_path)
    load_tokenizer("mini").save_pretrained(tmp_path)
    with pytest.raises(EngineError, match=r"is no miniature: convert it with llama\.cpp's"):
        write_gguf(str(tmp_path), tmp_path / "out.gguf")
