import json
from pathlib import Path

import pytest

from configs import changed, train_config
from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.training.provenance import (
    budget_to_mark,
    public_name,
    read_trained_for,
    trained_for,
    write_trained_for,
)

CONFIG = train_config(plan="anytime", budgets=("8+20", "24+20"), options={"grace": 4}, model="owner/base")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    about = trained_for(CONFIG, 40, 0.5)
    assert (about.budgets, about.plan, about.options, about.step) == (("8+20", "24+20"), "anytime", {"grace": 4}, 40)
    write_trained_for(tmp_path, about)
    assert read_trained_for(tmp_path) == about
    assert json.loads((tmp_path / "elastic.json").read_text())["model"] == "owner/base"


def test_a_model_without_the_file_says_nothing(tmp_path: Path) -> None:
    assert read_trained_for(tmp_path) is None
    assert read_trained_for(tmp_path / "absent") is None
    assert read_trained_for(Path("owner/base")) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"budgets": 3}', '{"unknown": 1}'])
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "elastic.json").write_text(text)
    with pytest.raises(TrainingError, match=r"elastic\.json: it is damaged; restore it, or delete it$"):
        read_trained_for(tmp_path)


def test_nothing_of_the_machine_is_told(tmp_path: Path) -> None:
    (tmp_path / "warm" / "model").mkdir(parents=True)
    config = changed(CONFIG, model=str(tmp_path / "warm" / "model"), task=str(tmp_path / "own.jsonl"))
    about = trained_for(config, 1, 0.5)
    assert (about.model, about.task) == ("warm", "own.jsonl")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("mini", "mini"),
        ("/absent/e1", "e1"),
        ("./e1", "e1"),
        ("runs/e1/model", "e1"),
        ("arithmetic", "arithmetic"),
    ],
)
def test_only_paths_are_shortened(name: str, shown: str) -> None:
    assert public_name(name) == shown


@pytest.mark.parametrize(
    ("budgets", "marked"),
    [
        ([("24+20",)], "24+20"),
        ([("24+20",), ("24+20",)], "24+20"),
        ([("24+20",), ("8+20",)], ""),
        ([("8+20", "24+20")], ""),
        ([("8..24+20",)], ""),
        ([("inf+inf",)], ""),
        ([], ""),
    ],
)
def test_a_budget_is_marked_where_models_agree_on_one(
    tmp_path: Path, budgets: list[tuple[str, ...]], marked: str
) -> None:
    models = ["mini", "owner/base", "mini>mini-e1"]
    for number, given in enumerate(budgets):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_trained_for(folder, trained_for(changed(CONFIG, budgets=given), 1, 0.5))
        models.append(str(folder))
    assert budget_to_mark(models) == marked
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "elastic.json").write_text("{")
    assert budget_to_mark([*models, str(damaged)]) == marked
