"""What cannot be spread over devices, each refused in one line that says what to do instead."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.local.parallel import plan
from elastic_reasoning.engines.local.parallel.plan import check_devices, check_plan
from elastic_reasoning.engines.local.parallel.ranks import Spread
from elastic_reasoning.engines.opening import check_models_by_name
from tiny import BASE, tiny

SPREAD = Spread("my-model", "float32", "cpu", 2, 8, False)


def config(name: str = "Qwen3", **changes: Any) -> Any:
    return getattr(transformers, f"{name}Config")(**{**BASE, **changes})


@pytest.mark.parametrize(
    ("of_model", "num_ranks", "message"),
    [
        (config("GPT2", n_head=4), 2, "transformers has no plan for gpt2; run it on one device, or on vLLM"),
        (config(), 3, "its num_attention_heads of 4 cannot be shared out evenly; give 2"),
        (config(), 4, "its num_key_value_heads of 2 cannot be shared out evenly; give 2"),
        (config(vocab_size=77), 2, "its vocab_size of 77 cannot be shared out evenly; give 1"),
        (config(quantization_config={"quant_method": "awq"}), 2, "its weights are quantised; give one that is not"),
    ],
)
def test_a_model_that_cannot_be_shared_out(of_model: Any, num_ranks: int, message: str) -> None:
    with pytest.raises(EngineError, match=f"model 'my-model' with tensor_parallel_size {num_ranks}: {message}"):
        check_plan(dataclasses.replace(SPREAD, num_ranks=num_ranks), of_model)


def test_one_that_can_be() -> None:
    check_plan(SPREAD, config())
    check_devices(SPREAD)


@pytest.mark.parametrize(
    ("device", "num_there", "message"),
    [
        ("cuda", 1, "there are 1 CUDA devices here .CUDA_VISIBLE_DEVICES.; give no more"),
        ("cuda:1", 2, "on device 'cuda:1': give cuda .CUDA_VISIBLE_DEVICES says which ones., or cpu"),
        ("mps", 0, "on device 'mps': give cuda"),
        ("cpu", 1, "on device 'cpu' beside a GPU: give cuda, or hide it with CUDA_VISIBLE_DEVICES="),
    ],
)
def test_devices_that_are_not_there(device: str, num_there: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_there)
    with pytest.raises(EngineError, match=f"tensor_parallel_size 2.*{message}"):
        check_devices(dataclasses.replace(SPREAD, device=device))


def test_a_transformers_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.transformers, "__version__", "5.10.4")  # which need not be the module of this file
    with pytest.raises(EngineError, match=r"needs transformers 5.17 or newer, here is 5.10.4: pip install 'transfor"):
        check_devices(SPREAD)


def test_what_is_refused_by_name_alone(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.touch()
    for model, size, message in (
        ("mini", 0, "tensor_parallel_size 0: must be 1 or more"),
        (str(file), 2, "weights in a .gguf file are not spread over devices; give a folder in Hugging Face format"),
        ("mini>mini-e1", 2, "tensor_parallel_size 2 with a pair of models: only one model of a process is spread"),
    ):
        with pytest.raises(EngineError, match=message):
            check_models_by_name(EngineConfig(tensor_parallel_size=size), [model])


@pytest.mark.parametrize(
    ("engine", "fix"), [("vllm", "give vllm.tensor_parallel_size"), ("my.py:f", "it is of engine")]
)
def test_another_engine(engine: str, fix: str) -> None:
    with pytest.raises(UsageError, match=f"tensor_parallel_size 2 with engine {engine}: {fix}"):
        EngineConfig(engine, tensor_parallel_size=2).check()


def test_a_model_that_is_loaded_already() -> None:
    with pytest.raises(EngineError, match="a model is spread as it is loaded, give its name"):
        load(tiny(), tokenizer=object(), tensor_parallel_size=2)
