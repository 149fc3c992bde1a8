import json
from itertools import islice
from pathlib import Path

import pytest
import torch

from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.engines.loading import load_template, load_tokenizer, load_weights
from elastic_reasoning.miniature.no_think_model import rows, write_no_think_model


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_no_think_model(tmp_path_factory.mktemp("no-think"), num_rows=50)


def test_the_model_has_no_thinking_format(written: tuple[Path, Path]) -> None:
    with pytest.raises(TemplateError, match="no thinking delimiters"):
        load_template(str(written[0]))
    tokenizer = load_tokenizer(str(written[0]))
    assert not {"<think>", "</think>"} & tokenizer.get_vocab().keys()
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "a 4 ="}], add_generation_prompt=True, tokenize=False
    )
    assert text == "<user> a 4 = <assistant> "


def test_it_computes_as_the_base_does(written: tuple[Path, Path]) -> None:
    words = "<user> a 4 b -8 = <assistant> b 4 -8 ="
    logits = {}
    for name in ("mini", str(written[0])):
        tokenizer, model = load_tokenizer(name), load_weights(name, "float32")
        with torch.no_grad():
            last = model(torch.tensor([tokenizer.encode(words)])).logits[0, -1]
        logits[name] = {tokenizer.convert_ids_to_tokens(index): float(last[index]) for index in range(len(last))}
    taught, no_think = logits.values()
    assert taught.keys() - no_think.keys() == {"<think>", "</think>"}
    assert no_think == pytest.approx({word: taught[word] for word in no_think}, abs=1e-5)


def test_rows_are_right_and_without_delimiters(written: tuple[Path, Path]) -> None:
    lines = [json.loads(line) for line in written[1].read_text().splitlines()]
    assert lines == list(islice(rows(0), 50))
    assert lines != list(islice(rows(1), 50))
    for row in lines:
        assert row.keys() == {"problem", "thinking", "solution", "finished"}
        assert "think>" not in row["thinking"] + row["solution"]
        if row["finished"]:
            assert row["solution"] == f"answer {row['thinking'].split()[-1]}"
    assert 0 < sum(not row["finished"] for row in lines) < 15
