import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from elastic_reasoning.core.errors import ElasticError, EngineError, TemplateError
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import check_model, load, load_template, model_path
from elastic_reasoning.engines.precision import resolve_precision
from elastic_reasoning.miniature.model import build_model
from elastic_reasoning.miniature.tokenizer import build_tokenizer
from elastic_reasoning.training.dry_run.architecture import read_architecture, read_template


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
    for device in ("cud", "", "cpu:x", "meta:-3"):
        with pytest.raises(EngineError, match=f"device '{device}' cannot be used") as caught:
            load(str(folder), device=device)
        assert "\n" not in str(caught.value)
    with pytest.raises(TemplateError, match="both delimiters"):
        load(str(folder), opening="<think>")


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def widen(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 2 * config["hidden_size"]}))


def need_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "own.py").write_text("import a_module_that_nobody_has\n")
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("harm", [truncate, widen, need_code])
def test_a_broken_folder_is_one_line(harm: Callable[[Path], None], folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    harm(broken)
    with pytest.raises(EngineError, match=r"cannot be loaded: |brings Python code of its own") as caught:
        load(str(broken), device="cpu")
    assert "\n" not in str(caught.value)


def test_missing_code_of_a_model_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: object, **settings: object) -> None:
        raise ImportError("this model needs a package\npip install it")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", failing)
    with pytest.raises(EngineError, match=r"cannot be loaded: this model needs a package$"):
        load(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("mini", "auto", "cpu"), ("float32", "cpu")),
        (("mini-e1", "auto", "cuda:1"), ("float32", "cuda:1")),
        (("mini", "bfloat16", "cuda"), ("bfloat16", "cuda")),
        (("owner/name", "auto", "cpu:0"), ("float32", "cpu:0")),
        (("owner/name", "auto", "cuda"), ("bfloat16", "cuda")),
        (("owner/name", "float16", "cpu"), ("float16", "cpu")),
    ],
)
def test_type_and_device_are_resolved_by_name(asked: tuple[str, str, str], found: tuple[str, str]) -> None:
    assert resolve_precision(*asked) == found


def test_the_device_is_found_where_none_is_named() -> None:
    assert resolve_precision("owner/name", "auto", "auto") == (
        ("bfloat16", "cuda") if torch.cuda.is_available() else ("float32", "cpu")
    )


def test_a_model_is_checked_by_its_tokenizer(folder: Path) -> None:
    check_model(str(folder))
    with pytest.raises(TemplateError, match="both delimiters"):
        check_model(str(folder), opening="<think>")


def test_a_model_that_is_loaded_already_is_taken_as_it_is(folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    engine = load(model, tokenizer=tokenizer, max_rows=2)
    assert (engine.model, engine.tokenizer, engine.model.dtype) == (model, tokenizer, torch.float64)
    trace = ask(engine, "a 4 b -8 c +7 =", (5, 3), sampling=Sampling(temperature=0))
    by_name = ask(load(folder), "a 4 b -8 c +7 =", "5+3", sampling=Sampling(temperature=0))
    assert trace.ids == by_name.ids
    assert repr(engine).startswith("TransformersEngine(Qwen3ForCausalLM, float64 on cpu, context=512, max_rows=2, ")
    assert repr(load("mini", device="cpu")) == (
        "TransformersEngine(mini, float32 on cpu, context=512, max_rows=64, thinking=<think>...</think>)"
    )


def test_what_is_no_model_says_which_way_there_is(folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with pytest.raises(EngineError, match=r"without its tokenizer: load\(model, tokenizer=tokenizer\)"):
        load(model)
    with pytest.raises(EngineError, match="model of type dict: give a name, a folder, or a causal language model"):
        load({}, tokenizer=tokenizer)
    with pytest.raises(EngineError, match="dtype 'bfloat16': the model is loaded already"):
        load(model, tokenizer=tokenizer, dtype="bfloat16")
    with pytest.raises(EngineError, match="model 'mini' has a tokenizer of its own"):
        load("mini", tokenizer=tokenizer)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("tokenizer_config.json", "model_max_length", "many"),
        ("generation_config.json", "pad_token_id", "x"),
        ("tokenizer.json", "pre_tokenizer", [[]]),
        ("tokenizer.json", "model", {"type": "BPE"}),
        ("config.json", "hidden_size", "wide"),
        ("config.json", "num_attention_heads", None),
        ("generation_config.json", "", "nested"),
        ("tokenizer_config.json", "", "nested"),
        ("processor_config.json", "", "nested"),
    ],
)
def test_a_damaged_model_is_one_line(name: str, key: str, value: object, folder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    path = damaged / name
    values = json.loads(path.read_text()) if path.exists() else {"eos_token_id": 0}
    path.write_text(json.dumps(values | {key: value}) if key else "[" * 100_000)
    for read in (load, load_template, read_architecture, lambda model: read_template(model, None, None)):
        try:
            read(str(damaged))
        except ElasticError as error:
            said = str(error)
        else:
            continue
        assert len(said.splitlines()) == 1
        assert len(said) < 600
