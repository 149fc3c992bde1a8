from pathlib import Path

import pytest

from elastic_reasoning.core.errors import EngineError, TemplateError
from elastic_reasoning.engines.names import check_names, check_tokenizer_name


def test_shipped_folders_files_and_hub_names_may_be_models(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    for name in ("mini", "mini-e1", str(tmp_path), str(tmp_path / "model.gguf"), str(tmp_path / "adapter")):
        check_names(name)
    for name in ("Qwen/Qwen3-0.6B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "0x1/a_b.c"):
        check_names(name)


def test_a_folder_of_shipped_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mini").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EngineError, match=r"model 'mini' cannot be loaded: the folder holds no config\.json"):
        check_names("mini")


@pytest.mark.parametrize("name", ["minni", "", "a/b/c", "./none", "/none", "~/none", "owner/", "owner/na me", "a//b"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(EngineError, match=r"unknown model .*; or give a folder, or a hub name as owner/name"):
        check_names(name)


def test_what_is_no_model_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"holds no config\.json; give a folder in Hugging Face format"):
        check_names(str(tmp_path))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(EngineError, match=rf"holds no config\.json; give {tmp_path / 'model'}$"):
        check_names(str(tmp_path))  # the folder of a training run
    with pytest.raises(EngineError, match="it is a file; give its folder"):
        check_names(str(tmp_path / "model" / "config.json"))
    with pytest.raises(EngineError, match="there is no such file"):
        check_names(str(tmp_path / "none.gguf"))


def test_a_tokenizer_needs_no_model(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"holds no tokenizer_config\.json"):
        check_tokenizer_name(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    check_tokenizer_name(str(tmp_path))
    with pytest.raises(EngineError, match=r"holds no config\.json"):
        check_names(str(tmp_path))


@pytest.mark.parametrize("device", ["auto", "cpu", "cpu:0", "cuda", "cuda:3", "mps", "xpu:1"])
def test_devices_that_torch_may_have(device: str) -> None:
    check_names("mini", device=device)


@pytest.mark.parametrize("device", ["", "cud", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu 0", "meta", "CUDA", "cuda:²"])
def test_other_devices_are_refused(device: str) -> None:
    with pytest.raises(EngineError, match=r"device '.*' cannot be used: try auto or cpu; known are cpu, cuda"):
        check_names("mini", device=device)


def test_types_rows_and_delimiters_are_checked() -> None:
    with pytest.raises(EngineError, match="dtype 'int8': must be one of auto, float32, bfloat16, float16"):
        check_names("mini", dtype="int8")
    with pytest.raises(EngineError, match="max_rows 0: must be 1 or more"):
        check_names("mini", max_rows=0)
    with pytest.raises(TemplateError, match="both delimiters must be given"):
        check_names("mini", opening="<think>")
