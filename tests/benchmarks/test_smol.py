"""The stages of the real model's training, with a tiny random model over bytes in its place."""

import json
from pathlib import Path

import pace
import pytest
import smol
import smol_tables
import torch
from smol_training import Trainings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.training.sft.thinking_format import PLAIN_CHAT

ROW = {"id": "own/1", "problem": "What is $2+3$?", "answer": "5"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in Hugging Face format without a thinking format; each byte is a token."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("model")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: index for index, letter in enumerate([*letters, "<eos>"])}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", pad_token="<eos>")
    tokenizer.chat_template = PLAIN_CHAT
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run(model: Path, folder: Path, *flags: str) -> dict:
    rows = folder / "rows_of_math500.jsonl"
    folder.mkdir(exist_ok=True)
    rows.write_text("".join(json.dumps({**ROW, "id": f"own/{number}"}) + "\n" for number in range(2)))
    given = [f"--model={model}", f"--folder={folder}", f"--math500={rows}", "--device=cpu", "--quick"]
    assert smol.main([*given, *flags]) == 0
    return json.loads((folder / "smol.json").read_text())


def test_warm_start_and_evaluation(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(model, tmp_path, "--stages=warm start,e1,evaluation")
    assert found["quick"]
    assert list(found["stages"]) == ["warm start", "e1", "evaluation"]
    assert found["stages"]["warm start"]["steps"] == 5
    assert found["stages"]["e1"]["steps"] == 2
    assert all(found["stages"][name]["typical"]["loss_seconds"] > 0 for name in ("warm start", "e1"))
    assert {(row["model"], row["strategy"]) for row in found["rows"]} == {
        (name, strategy) for name in ("warm", "e1") for strategy in ("elastic", "s1", "vanilla")
    }
    assert all(row["num_problems"] == 2 and row["num_errors"] == 0 for row in found["rows"])
    assert [gain["budget"] for gain in found["gains"]] == ["16+32", "64+32", "192+32"]
    _, template = load_template(str(tmp_path / "warm" / "model"))
    assert len(template.opening.forced) == len(template.closing.forced) == 1
    seconds = found["stages"]["evaluation"]["seconds"]
    again = run(model, tmp_path, "--stages=evaluation")  # all of it is there
    assert again["stages"]["evaluation"]["seconds"] == seconds
    assert again["rows"] == found["rows"]
    with pytest.raises(SystemExit):
        run(model, tmp_path, "--stages=evalution")
    assert "--stages evalution: known are warm start, e1, evaluation" in capsys.readouterr().err


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a GPU on a processor, as far as they are not of speed alone."""
    monkeypatch.setattr(Trainings, "on_gpu", property(lambda self: True))
    monkeypatch.setattr(smol.torch.cuda, "get_device_name", lambda: "a GPU")


@pytest.mark.full
@pytest.mark.usefixtures("as_on_a_gpu")
def test_in_a_limited_time_nothing_is_done_twice(model: Path, tmp_path: Path) -> None:
    stages = "--stages=warm start,e1,evaluation,other strategies"
    found = run(model, tmp_path, "--minutes=10", stages)
    assert (found["stages"]["warm start"]["steps"], found["stages"]["e1"]["steps"]) == (5, 2)  # no more than planned
    assert found["stages"]["warm start"]["step_seconds"] > 0
    assert {row["strategy"] for row in found["rows"]} == {"elastic", "s1", "vanilla"}
    told = smol_tables.smol(found)
    assert "warm start 5 steps of 4 rows, 120 in all; e1 2 steps of 8 rollouts" in told
    assert "Time taken: warm start " in told
    again = run(model, tmp_path, "--minutes=10", stages.replace("warm start,", "warm start,before,"))
    assert again["stages"] == {**found["stages"], "before": again["stages"]["before"]}


@pytest.mark.usefixtures("as_on_a_gpu")
def test_when_time_is_over_a_training_ends_with_a_checkpoint(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(smol.LEAST_SECONDS, "evaluation", 0)
    found = run(model, tmp_path, "--minutes=0.001", "--stages=warm start,e1,evaluation")["stages"]
    assert [(found[name]["steps"], found[name]["selected"]) for name in ("warm start", "e1")] == [(2, 2), (1, 1)]
    assert found["evaluation"]["not run"] == "its time was over"
    again = run(model, tmp_path, "--minutes=10", "--stages=warm start,e1,evaluation")["stages"]
    assert again == {**found, "evaluation": again["evaluation"]}
    assert again["evaluation"]["num_errors"] == 0


def test_where_nothing_is_left_to_do_what_is_known_is_written(model: Path, tmp_path: Path) -> None:
    known = {"warm start": {"seconds": 3.0, "steps": 5}}
    (tmp_path / "stages.json").write_text(json.dumps(known))
    assert run(model, tmp_path, "--minutes=10", "--stages=warm start")["stages"] == known


def test_how_many_times_as_many_right_answers_is_told_with_its_error() -> None:
    rows = [
        {"model": name, "strategy": "elastic", "budget": "64+32", "accuracy": share, "accuracy_se": share / 10}
        for name, share in (("warm", 0.2), ("e1", 0.5))
    ]
    told = smol_tables.smol_ratio({"trained_at": "64+32", "rows": rows})
    assert told == " At 64+32 that is 2.50 ± 0.35 times as many right answers, 2 wanted."
    rows[1]["accuracy"] = 0.3
    assert "2 wanted (**missed**)" in smol_tables.smol_ratio({"trained_at": "64+32", "rows": rows})
    assert smol_tables.smol_ratio({"trained_at": "64+32", "rows": rows[1:]}) == ""


def test_the_headline_is_of_what_was_measured() -> None:
    rows = [
        {"model": name, "strategy": "elastic", "budget": "64+32", "accuracy": share, "accuracy_se": share / 10}
        for name, share in (("warm", 0.2), ("e1", 0.5))
    ]
    report = {"model": "M.gguf", "trained_at": "64+32", "rows": rows, "check": {"seconds": 90.4, "card": "a GPU"}}
    assert "M solves 20.0 ± 2.0 % under 64+32 after a warm start, and 50.0 ± 5.0 % after E1." in (
        smol_tables.smol_headline(report)
    )
    for fewer in ([], rows[:1]):
        assert smol_tables.smol_headline({**report, "rows": fewer}) == "Not measured on a GPU yet."


def test_as_many_steps_as_fit_behind_a_start() -> None:
    found = pace.Pace(start_seconds=10, step_seconds=0.5)
    assert found.steps_in(100) == int(pace.SHARE * 90 / 0.5)
    assert found.steps_in(1) == 2


def test_mathematics_without_rows_says_why(tmp_path: Path) -> None:
    away = smol.Run(Trainings("m", tmp_path, "cpu", 1.0, quick=False), tmp_path / "none.jsonl", None, {})
    assert away.mathematics(["m"]) == {"not run": f"no rows of MATH500 at {tmp_path}/none.jsonl: give --math500 FILE"}


@pytest.mark.full
def test_all_stages(model: Path, tmp_path: Path) -> None:
    found = run(model, tmp_path)
    assert list(found["stages"]) == list(
        smol.Run(Trainings("", tmp_path, "cpu", 1.0, quick=True), tmp_path, None, {}).stages()
    )
    assert {row["model"] for row in found["rows"]} == {row["model"] for row in found["math500"]} == set(smol.MODELS)
    assert {row["budget"] for row in found["before"]} == set(smol.BEFORE)
