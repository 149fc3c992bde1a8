from pathlib import Path

import pytest
import torch

from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load, model_path
from elastic_reasoning.errors import EngineError, TemplateError
from elastic_reasoning.miniature.model import build_model
from elastic_reasoning.miniature.tokenizer import build_tokenizer
from elastic_reasoning.request import Sampling


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer()
    build_model(tokenizer, seed=0).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_a_folder_is_loaded_and_answers(folder: Path) -> None:
    engine = load(str(folder), max_rows=3, device="cpu")
    assert (engine.max_rows, engine.context, engine.model.dtype) == (3, 512, torch.float32)
    assert not engine.model.training
    trace = ask(engine, "a 4 b -8 c +7 =", "5+3", sampling=Sampling(seed=1))
    assert trace.error is None
    assert 0 < trace.num_thinking_tokens <= 5
    assert trace.request.prompt.ids == engine.prompt([{"role": "user", "content": "a 4 b -8 c +7 ="}]).ids


def test_the_shipped_models_are_loaded_by_name() -> None:
    assert model_path("elsewhere") == "elsewhere"
    trace = ask(load("mini", device="cpu"), "a 4 b -8 c +7 =", "24+20", sampling=Sampling(temperature=0))
    assert (trace.error, trace.template.closing.text) == (None, "</think>")


def test_type_and_delimiters_may_be_chosen(folder: Path) -> None:
    engine = load(str(folder), dtype="bfloat16", device="cpu", opening="<user>", closing="<assistant>")
    assert engine.model.dtype == torch.bfloat16
    assert (engine.template.opening.text, engine.template.closing.text) == ("<user>", "<assistant>")


def test_what_cannot_be_loaded_is_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = {
        "mimi": r"unknown model 'mimi': did you mean 'mini'\?",
        str(tmp_path / "none"): "unknown model .*give a folder",
        str(tmp_path / "empty"): "cannot be loaded",
    }
    for name, message in cases.items():
        with pytest.raises(EngineError, match=message) as caught:
            load(name)
        assert "\n" not in str(caught.value)
    with pytest.raises(EngineError, match="dtype 'int8': must be one of auto, float32"):
        load(str(folder), dtype="int8")
    with pytest.raises(EngineError, match="device 'cud' cannot be used"):
        load(str(folder), device="cud")
    with pytest.raises(TemplateError, match="both delimiters"):
        load(str(folder), opening="<think>")
