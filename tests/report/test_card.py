import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from configs import train_config
from elastic_reasoning.cli.command import parse
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.digests import models_digest
from elastic_reasoning.report.card import write_card
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.export import FinishedRun, read_run
from finished_runs import write_run
from make_records import BASE, TRAINED, make_manifest, make_records, write_folder


def card_of(run: FinishedRun, folder: Path, name: str = "owner/e1", records: Path | None = None) -> ModelCard:
    folder.mkdir(exist_ok=True)
    write_card(run, folder, name, records)
    return ModelCard.load(folder / "README.md")


@pytest.fixture
def run(tmp_path: Path) -> FinishedRun:
    return read_run(write_run(tmp_path / "run"))


def records_of(run: FinishedRun, folder: Path, **digests: str) -> Path:
    """A sweep in which TRAINED had the weights of the run."""
    manifest = make_manifest(num_problems=6)
    digests = {BASE: "0", TRAINED: models_digest([str(run.model)])[str(run.model)]} | digests
    manifest = replace(manifest, config={**manifest.config, "models_digest": digests})
    return write_folder(folder, make_records(num_problems=6, num_samples=1), manifest)


def test_metadata_are_those_of_the_hub(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", model="owner/base", task="deepscaler", budgets=("1024+1024",)))
    data = card_of(run, tmp_path / "out").data.to_dict()
    assert data == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["elastic-reasoning", "reasoning", "grpo", "elastic"],
        "base_model": "owner/base",
        "base_model_relation": "finetune",
        "datasets": ["agentica-org/DeepScaleR-Preview-Dataset"],
    }


def test_what_has_no_name_on_the_hub_is_not_in_the_metadata(run: FinishedRun, tmp_path: Path) -> None:
    data = card_of(run, tmp_path / "out").data.to_dict()
    assert data.keys() == {"library_name", "pipeline_tag", "tags"}


def test_the_card_says_what_it_was_trained_for_and_how_to_use_it(run: FinishedRun, tmp_path: Path) -> None:
    text = card_of(run, tmp_path / "out").text
    assert "| budgets, thinking + solution tokens | 24+20 (fixed: every rollout had the same budget) |" in text
    assert 'elastic generate "How many primes are below 100?" --model owner/e1 --budget 24+20' in text
    assert 'ask(load("owner/e1"), "How many primes are below 100?", "24+20")' in text
    assert "vllm serve owner/e1" in text
    (body,) = re.findall(r"-d '(.*)'", text)
    assert json.loads(body)["vllm_xargs"] == {"thinking_budget": 24, "solution_budget": 20}
    assert "with the best mean reward on validation problems of `arithmetic`. Its accuracy on them is 75.0%. It" in text
    assert "was not measured for this card" in text
    assert re.search(r"Exported with elastic-reasoning \d.*transformers \d", text)


def test_other_strategies_and_ranges_of_budgets(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", strategies=("l1-max",), plan="random", budgets=("100..400+0",)))
    text = card_of(run, tmp_path / "out").text
    assert "--budget 400+0 --strategy l1-max" in text
    assert '"400+0", strategy="l1-max")' in text
    (body,) = re.findall(r"-d '(.*)'", text)
    assert json.loads(body)["vllm_xargs"]["strategy"] == "l1-max"


def test_the_recipe_can_be_run_again(run: FinishedRun, tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```yaml\n(.*?)```", card_of(run, tmp_path / "out").text, re.DOTALL)
    values = yaml.safe_load(recipe)
    assert values.keys() == run.recipe.keys()
    (tmp_path / "recipe.yaml").write_text(recipe)
    flags: Any = ["--recipe", str(tmp_path / "recipe.yaml")]
    config = parse(TrainConfig, flags, command="train", about="", example="elastic train")
    assert config == train_config(steps=20)


def test_the_curves_of_training(run: FinishedRun, tmp_path: Path) -> None:
    assert "(figures/training.png)" in card_of(run, tmp_path / "out").text
    with Image.open(tmp_path / "out" / "figures" / "training.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000


def test_the_accuracies_are_those_of_these_weights(run: FinishedRun, tmp_path: Path) -> None:
    text = card_of(run, tmp_path / "out", records=records_of(run, tmp_path / "sweep")).text
    table = text.partition("## Accuracy by budget")[2].partition("## Training")[0]
    assert "Task arithmetic, test split, 6 problems" in table
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| elastic ")]
    assert [row[1] for row in rows] == ["8+20", "16+20", "24+20", "32+20", "48+20", "64+20", "96+20", "160+20"]
    assert all(re.fullmatch(r"\d+\.\d ± \d+\.\d%", row[2]) for row in rows)
    assert "was not measured for this card" not in text
    assert (tmp_path / "out" / "figures" / "accuracy.png").exists()


def test_records_of_other_weights_are_refused(run: FinishedRun, tmp_path: Path) -> None:
    records = records_of(run, tmp_path / "sweep", **{TRAINED: "other"})
    with pytest.raises(RecordsError, match=r"has nothing of the weights in .*its models are mini, mini-e1: elastic"):
        card_of(run, tmp_path / "out", records=records)


def test_nothing_of_the_machine_is_told(tmp_path: Path) -> None:
    places = {"model": str(tmp_path / "warm" / "model"), "task": str(tmp_path / "own.jsonl")}
    run = read_run(write_run(tmp_path / "run", **places))
    card_of(run, tmp_path / "out", records=records_of(run, tmp_path / "sweep"))
    for path in (tmp_path / "out").rglob("*.*"):
        assert str(tmp_path).encode() not in path.read_bytes()
