from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.miniature.model import build_model
from elastic_reasoning.miniature.tokenizer import build_tokenizer
from elastic_reasoning.miniature.warmup import WarmupConfig, WarmupResult, batches, warm_up

SHORT = WarmupConfig(seed=0, num_steps=30, batch_size=4, num_lr_warmup_steps=5, num_gate_problems=0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WarmupResult, list[float]]:
    folder, losses = tmp_path_factory.mktemp("warmup") / "mini", []
    result = warm_up(SHORT, folder, lambda step, loss: losses.append(loss))
    return folder, result, losses


def test_the_loss_falls(finished: tuple[Path, WarmupResult, list[float]]) -> None:
    _, result, losses = finished
    assert len(losses) == SHORT.num_steps
    assert result.loss < 0.8 * losses[0]
    assert result.accuracy is None


def test_the_folder_loads(finished: tuple[Path, WarmupResult, list[float]]) -> None:
    folder, _, _ = finished
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float32
    assert (folder / "model.safetensors").stat().st_size < 400_000
    assert model.config.architectures == ["Qwen3ForCausalLM"]
    assert model.config.head_dim == 32
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    prompt = tokenizer("<user> a 4 b -8 = <assistant> <think>", return_tensors="pt")
    completion = model.generate(**prompt, max_new_tokens=5, do_sample=False)
    assert completion.shape[1] <= prompt["input_ids"].shape[1] + 5
    assert [path.name for path in folder.parent.iterdir()] == ["mini"]


def test_the_same_seed_gives_the_same_bytes(finished: tuple[Path, WarmupResult, list[float]], tmp_path: Path) -> None:
    folder, _, _ = finished
    warm_up(SHORT, tmp_path / "again")
    warm_up(replace(SHORT, seed=1), tmp_path / "other")
    weights = (folder / "model.safetensors").read_bytes()
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == weights
    assert (tmp_path / "other" / "model.safetensors").read_bytes() != weights


def test_a_model_that_solves_too_little_is_refused(tmp_path: Path) -> None:
    config = replace(SHORT, num_steps=1, num_gate_problems=4)
    with pytest.raises(TrainingError, match=r"solves .*% of 4 validation problems, 95.0% are needed"):
        warm_up(config, tmp_path / "mini")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="exists already"):
        warm_up(SHORT, tmp_path)


def test_an_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot write"):
        warm_up(replace(SHORT, num_steps=1), tmp_path / "file" / "mini")


def test_labels_leave_out_the_prompt_and_what_is_forced() -> None:
    tokenizer = build_tokenizer()
    assistant = tokenizer.convert_tokens_to_ids("<assistant>")
    forced = tokenizer.convert_tokens_to_ids(["Wait", "Final", "Answer:", "<pad>", "<user>", "<assistant>"])
    for ids, labels in batches(tokenizer, SHORT):
        assert ids.shape == labels.shape
        kept = labels >= 0
        assert torch.equal(ids[kept], labels[kept])
        assert not torch.isin(labels, torch.tensor(forced)).any()
        starts = (ids == assistant).int().argmax(dim=1)
        for row, start in zip(kept, starts, strict=True):
            assert not row[: start + 2].any()  # the prompt ends with <assistant> <think>
            assert row[start + 2]


def test_weights_depend_on_the_seed_alone() -> None:
    tokenizer = build_tokenizer()
    first, second, other = (build_model(tokenizer, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
