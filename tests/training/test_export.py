import os
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

from elastic_reasoning.core.errors import EngineError, TrainingError
from elastic_reasoning.engines.loading import load_tokenizer, load_weights
from elastic_reasoning.training.export import check_name, exporting, read_run, upload
from elastic_reasoning.training.provenance import read_trained_for
from elastic_reasoning.training.trl.trainer import quietly
from finished_runs import recipe_of, write_run

MODEL_FILES = {
    "chat_template.jinja",
    "config.json",
    "elastic.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_read(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", budgets=("8+20",), seed=3))
    assert run.recipe == recipe_of(budgets=("8+20",), seed=3)
    assert run.recipe["seed"] == 3
    assert [line["step"] for line in run.metrics] == list(range(1, 21))
    assert run.about.budgets == ("8+20",)


def test_the_model_and_what_it_was_trained_for(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"))
    with exporting(run, tmp_path / "out") as folder:
        (folder / "README.md").write_text("card")
        assert not (tmp_path / "out").exists()
    found = files(tmp_path / "out")
    assert found.keys() == {*MODEL_FILES, "README.md"}
    assert found["model.safetensors"] == (run.model / "model.safetensors").read_bytes()
    assert read_trained_for(tmp_path / "out") == run.about
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out"}


def test_adapters_are_merged_into_the_weights(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    run = read_run(write_run(tmp_path / "run", model="mini"))
    with quietly():
        adapted = peft.get_peft_model(
            load_weights("mini", "float32"), peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
        )
    (run.model / "model.safetensors").unlink()
    for name in ("config.json", "generation_config.json"):
        (run.model / name).unlink()
    adapted.save_pretrained(run.model)  # with a README.md of its own
    with exporting(run, tmp_path / "out"):
        pass
    assert files(tmp_path / "out").keys() == MODEL_FILES
    ids = torch.tensor([load_tokenizer("mini").encode("a 4 b -8 =")])
    with torch.no_grad():
        expected = adapted(ids).logits
        plain = load_weights("mini", "float32")(ids).logits
        merged = load_weights(str(tmp_path / "out"), "float32")(ids).logits
    assert torch.allclose(merged, expected, atol=1e-4)
    assert not torch.allclose(merged, plain, atol=1e-1)


def test_adapters_without_their_base(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", model=str(tmp_path / "base")))
    (run.model / "adapter_config.json").write_text("{}")
    with pytest.raises(EngineError, match="base"), exporting(run, tmp_path / "out"):
        pass
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_is_left_alone(tmp_path: Path, kind: str) -> None:
    run, out = read_run(write_run(tmp_path / "run")), tmp_path / "out"
    precious = out if kind == "file" else out / "precious"
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("mine")
    with pytest.raises(TrainingError, match="exists and is not empty"), exporting(run, out):
        pass
    assert precious.read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with exporting(read_run(write_run(tmp_path / "run")), tmp_path / "out"):
        pass
    assert files(tmp_path / "out").keys() == MODEL_FILES


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"))
    with pytest.raises(ZeroDivisionError), exporting(run, tmp_path / "out"):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    with (
        pytest.raises(TrainingError, match=r"cannot write .*; give another folder"),
        exporting(run, tmp_path / "run" / "config.json" / "out"),
    ):
        pass


def test_a_dead_process_left_half_an_export(tmp_path: Path) -> None:
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "old").write_text("half")
    with exporting(read_run(write_run(tmp_path / "run")), tmp_path / "out"):
        pass
    assert files(tmp_path / "out").keys() == MODEL_FILES
    assert not (tmp_path / ".out.unfinished").exists()


def test_weights_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"))
    weights = run.model / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    with pytest.raises(TrainingError, match=r"model\.safetensors is damaged"), exporting(run, tmp_path / "out"):
        pass
    weights.unlink()
    with pytest.raises(TrainingError, match="has no weights in safetensors"), exporting(run, tmp_path / "out"):
        pass


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="has no model that elastic train has selected"):
        read_run(tmp_path)
    run = write_run(tmp_path / "run")
    (run / "config.json").write_text("{")
    with pytest.raises(TrainingError, match="it is damaged"):
        read_run(run)
    (run / "config.json").unlink()
    with pytest.raises(TrainingError, match="No such file"):
        read_run(run)


@pytest.mark.parametrize("name", ["e1", "a/b/c", "a/", "/b", "a b/c", "../b"])
def test_names_of_repositories(name: str) -> None:
    check_name("owner/e1-math_1.5B")
    with pytest.raises(TrainingError, match="must be owner/name"):
        check_name(name)


def test_an_upload_sends_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(huggingface_hub, "create_repo", lambda name, **given: sent.append(name) or f"hub/{name}")
    monkeypatch.setattr(huggingface_hub, "upload_folder", lambda **given: sent.append(given))
    assert upload(tmp_path, "owner/e1") == "hub/owner/e1"
    assert sent[0] == "owner/e1"
    assert (sent[1]["repo_id"], sent[1]["folder_path"]) == ("owner/e1", tmp_path)


def test_an_upload_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, **given: Any) -> None:
        raise huggingface_hub.errors.HFValidationError("401\nno permission")

    monkeypatch.setattr(huggingface_hub, "create_repo", refuse)
    with pytest.raises(TrainingError, match=r"cannot upload to owner/e1 \(.*401\); the export is kept") as refusal:
        upload(tmp_path, "owner/e1")
    assert "\n" not in str(refusal.value)
